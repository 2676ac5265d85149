"""The contract of executors: a sound one keeps it, broken ones do not."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, nullcontext

import pytest

import hybridrec
from hybridrec import ExecutorPlugin, ThreadExecutor
from hybridrec.engine.executor import Threads
from hybridrec.testing import ExecutorContract
from tests.testing.outcomes import SHARED, assert_caught


class Wrong(ThreadExecutor):
    """Breaks the rules one by one."""

    def __init__(self, fault):
        super().__init__(2)
        self.fault = fault

    def submit(self, jobs, context):
        """Seed the fits otherwise, or swallow an error."""
        try:
            yield from super().submit(jobs, context)
        except KeyError as error:
            if self.fault == "class":
                raise RuntimeError("a worker failed") from error
            raise

    def map(self, work, blocks):
        """Return the results in another order, or swallow an error."""
        try:
            results = list(super().map(work, blocks))
        except KeyError:
            if self.fault == "swallow":
                return iter(())
            raise
        return iter(results[::-1] if self.fault == "order" else results)


class Sound(ExecutorPlugin):
    """Threads of its own."""

    name = "sound"
    fault = ""

    def open(self, workers):
        """Give them."""
        return nullcontext(Wrong(self.fault))


class Unordered(Sound):
    """Returns blocks in another order."""

    fault = "order"


class Swallowing(Sound):
    """Swallows errors of blocks."""

    fault = "swallow"


class Renaming(Sound):
    """Turns errors of fits into others."""

    fault = "class"


class Leaving(Sound):
    """Leaves a process behind."""

    @contextmanager
    def open(self, workers):
        """Start a process that nobody ends."""
        self.left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])
        yield ThreadExecutor(2)


class Eager(Sound):
    """Starts a process when it is made."""

    def __init__(self, config=None):
        super().__init__(config)
        self.left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])


class Options(hybridrec.Options):
    """Takes a key of the config."""

    use: int = 0
    """Not used."""


class Taking(Sound):
    """Has an option that the config keeps for itself."""

    Config = Options


BROKEN = [
    (Taking, "options_can_be_given", "something else by `use`"),
    (Unordered, "works_like_threads", ""),
    (Swallowing, "errors_come_out", "swallowed"),
    (Renaming, "errors_come_out", "came out as RuntimeError"),
    (Leaving, "ends_what_it_started", "is left"),
    (Eager, "being_made_starts_nothing", "before `open`"),
]


class TestSound(ExecutorContract):
    executor = Sound


class TestThreads(ExecutorContract):
    executor = Threads


@pytest.mark.filterwarnings("ignore:subprocess .* is still running")
@pytest.mark.skipif(sys.platform != "linux", reason="tells the processes of a process by /proc")
@pytest.mark.parametrize(("broken", "check", "message"), BROKEN, ids=[broken.__name__ for broken, *_ in BROKEN])
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message, monkeypatch):
    monkeypatch.setattr("hybridrec.testing.executors._PATIENCE", 0.3)
    assert_caught(ExecutorContract, broken, Sound, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*ExecutorContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
