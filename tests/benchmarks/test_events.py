"""The measurement of events: its processes write and read, and their numbers become one way."""

import pytest

from benchmarks.events import Setting, _work, events


def test_servers_and_a_reader_share_a_state():
    work = _work(2, [Setting("SQLite, NORMAL", "NORMAL", None, journal=True)], 0.2)
    facts = work.ways["SQLite, NORMAL"].facts
    assert facts["events a second"] > 10
    assert facts["events in a commit"] >= 1


@pytest.mark.slow
def test_all_settings_are_measured(monkeypatch):
    monkeypatch.delenv("EVENTS_POSTGRES", raising=False)
    (work,) = events(quick=True)
    assert list(work.ways) == ["SQLite, FULL", "SQLite, FULL, and journal", "SQLite, NORMAL"]
