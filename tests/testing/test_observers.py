"""The contract of observers: a sound one keeps it, broken ones do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec import Observer
from hybridrec.testing import ObserverContract
from tests.testing.outcomes import SHARED, assert_caught


class Sound(Observer):
    """Ignores everything."""

    name = "sound"

    def observe(self, event):
        """Ignore it."""


class Eager(Sound):
    """Writes before anything happened."""

    def __init__(self, config=None):
        super().__init__(config)
        Path("eager.txt").write_text("here")


class Forgetful(Sound):
    """Needs the start before all else."""

    def observe(self, event):
        """Fail at the second run."""
        if event.run == "1":
            raise KeyError("start")


class Strict(Sound):
    """Knows all there is."""

    def observe(self, event):
        """Refuse what is new."""
        if type(event).__module__ != "hybridrec.observers.base":
            raise TypeError("unknown event")


BROKEN = [
    (Eager, "being_made_does_nothing", "before the first event"),
    (Forgetful, "takes_every_event", "start"),
    (Strict, "ignores_events_of_later_versions", "unknown event"),
]


class TestSound(ObserverContract):
    observer = Sound


@pytest.mark.parametrize(("broken", "check", "message"), BROKEN, ids=[broken.__name__ for broken, *_ in BROKEN])
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_caught(ObserverContract, broken, Sound, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*ObserverContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
