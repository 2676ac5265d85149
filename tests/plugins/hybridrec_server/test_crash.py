"""Kills of the process that writes events: what it acknowledged is there, once."""

import pytest

from tests.plugins.hybridrec_server.crash import check, crash


def test_two_kills_lose_nothing(tmp_path):
    assert crash(tmp_path, kills=2, seed=3)[0] > 0


@pytest.mark.slow
def test_fifteen_kills_lose_nothing(tmp_path):
    events, files = crash(tmp_path, kills=15, seed=1)
    assert events > 500
    assert files > 3


def test_the_check_tells_what_is_lost_and_what_nobody_sent(tmp_path):
    crash(tmp_path, kills=1, seed=8)
    address = str(tmp_path / "state.db")
    with pytest.raises(AssertionError, match="1 of 1 acknowledged events are lost"):
        check(tmp_path, address, {10**9}, {10**9})
    with pytest.raises(AssertionError, match="nobody sent"):
        check(tmp_path, address, set(), set())
