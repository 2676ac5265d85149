"""The time that a run takes: wall time by stage, and the stages of pipelines over all threads."""

import pytest

from hybridrec.engine import timers
from hybridrec.engine.timers import Stopwatch
from hybridrec.inference.batch_runner import Clock


@pytest.fixture
def tick(monkeypatch):
    """A clock that stands still until it is moved on."""
    now = [100.0]
    monkeypatch.setattr(timers.time, "perf_counter", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_the_blocks_of_a_stage_are_added_up_and_the_total_is_all_that_passed(tick):
    watch = Stopwatch(Clock())
    for seconds in (1.0, 2.5):
        with watch.timing("fit"):
            tick(seconds)
        tick(0.5)
    with watch.timing("evaluate"):
        tick(4.0)
    report = watch.report()
    assert (report.fit, report.evaluate, report.read, report.total) == (3.5, 4.0, 0.0, 8.5)


def test_the_stages_of_all_pipelines_and_threads_are_summed(tick):
    clock = Clock()
    clock.seconds.update({("generate", "a"): 1.0, ("generate", "b"): 2.0, ("rerank", "b"): 0.25})
    report = Stopwatch(clock).report()
    assert (report.generate, report.score, report.rerank) == (3.0, 0.0, 0.25)
