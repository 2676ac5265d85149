"""Type-ahead search: the order of matches, and that nothing that matches is missed."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrec import Entities, Vocabulary
from hybridrec_server.lookup import TypeAhead


def search(titles, counts=None):
    ids = [f"id-{place:06}" for place in range(len(titles))]
    counts = np.zeros(len(titles)) if counts is None else np.array(counts, float)
    return TypeAhead(Entities(Vocabulary(ids), tuple(titles)), counts)


def titles_of(searched, typed, n=10):
    return [hit["title"] for hit in searched.hits(typed, n)]


def test_the_order_of_matches():
    titles = ["The Star", "Dark Star", "Starlight", "star", "Superstar", "Star Ship", "Nothing", ""]
    assert titles_of(search(titles), "STAR") == ["star", "Star Ship", "Starlight", "The Star", "Dark Star", "Superstar"]
    popular = search(titles, [0, 9, 0, 0, 0, 0, 0, 0])
    assert titles_of(popular, "star", 4) == ["star", "Star Ship", "Starlight", "Dark Star"]


def test_words_need_not_be_in_a_row():
    searched = search(["Dark Star", "Star of the Dark", "Starry night", "Darkness"])
    assert titles_of(searched, "dark  sta") == ["Dark Star", "Star of the Dark"]


def test_ids_are_found_by_their_start_and_named_without_a_title():
    searched = search(["", "b"])
    assert searched.hits("ID-000000", 5) == [{"id": "id-000000", "title": "id-000000", "score": pytest.approx(1.0)}]
    assert [hit["id"] for hit in searched.hits("id-", 5)] == ["id-000000", "id-000001"]


def test_a_whole_id_comes_before_ids_that_begin_with_it():
    ids = [str(number) for number in range(1, 2_000)]
    counts = np.arange(2_000.0)[1:]
    searched = TypeAhead(Entities(Vocabulary(ids), ("a song",) * 1_999), counts)
    hits = searched.hits("1", 50)
    assert hits[0] == {"id": "1", "title": "a song", "score": 1.0}
    assert len(hits) == 50
    assert searched.hits("1999", 50) == [{"id": "1999", "title": "a song", "score": 1.0}]


def test_what_matches_nothing_is_empty():
    assert titles_of(search(["a", "b"]), "zzz") == []
    assert titles_of(search(["a", "b"]), "  ") == []
    assert titles_of(search([]), "a") == []
    assert titles_of(search(["a"]), "\ud800") == []


@given(st.lists(st.text(max_size=8), min_size=1, max_size=20), st.text(min_size=1, max_size=3))
def test_every_title_with_the_text_is_found_once(titles, typed):
    wanted = " ".join(typed.casefold().split())
    hits = search(titles).hits(typed, 50)
    ids = [hit["id"] for hit in hits]
    assert len(ids) == len(set(ids))
    for place, title in enumerate(titles):
        if wanted and title and wanted in " ".join(title.casefold().split()):
            assert f"id-{place:06}" in ids


def test_a_hundred_thousand_titles_are_searched_in_milliseconds():
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(5_000)]
    searched = search([" ".join(words[word] for word in row) for row in rng.integers(0, 5_000, (100_000, 3))])
    searched.hits("word1", 10)
    started = time.process_time()
    for typed in ("w", "word12", "word123 word4"):
        assert len(searched.hits(typed, 10)) == 10
    assert time.process_time() - started < 3  # a bound for the order of magnitude: a millisecond for each megabyte
