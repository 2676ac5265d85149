"""Cursors come back as they were made, and nothing else is taken for one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrec_server.cursors import cursor, shown_before
from hybridrec_server.schemas import MAX_CURSOR

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(TEXT, max_size=30))
def test_ids_come_back(ids):
    text = cursor(ids)
    assert shown_before(text) == ids
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize("text", ["", "x", "!!!!", "e30", "WzFd", "\ud800", "eyJhIjoxfQ", "W10=W10="])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="not a cursor"):
        shown_before(text)


@given(st.text(max_size=50))
def test_any_text_is_a_cursor_or_refused(text):
    with suppress(ValueError):
        assert all(isinstance(each, str) for each in shown_before(text))


def test_more_than_a_cursor_holds_ends_the_pages():
    assert cursor(["x" * 100] * 400) is not None
    assert cursor(["x" * 100] * (MAX_CURSOR // 100)) is None
