"""The time that a run takes: every moment belongs to one stage, so that the stages add up to the total."""

import json

import pytest

import hybridrec
from hybridrec.engine import timers
from hybridrec.engine.timers import ASK, Stopwatch


@pytest.fixture
def tick(monkeypatch):
    """A clock that stands still until it is moved on."""
    now = [100.0]
    monkeypatch.setattr(timers.time, "perf_counter", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def added_up(seconds):
    return sum(took for stage, took in seconds.items() if stage != "total")


def test_the_blocks_of_a_stage_are_added_up_and_the_total_is_all_that_passed(tick):
    watch = Stopwatch(97.0)
    for seconds in (1.0, 2.5):
        with watch.timing("fit"):
            tick(seconds)
        tick(0.5)
    with watch.timing("evaluate"):
        tick(4.0)
    report = watch.report()
    assert (report.fit, report.evaluate, report.read, report.other, report.total) == (3.5, 4.0, 0.0, 4.0, 11.5)
    assert added_up(report.model_dump()) == report.total


def test_a_stage_inside_another_is_counted_once_also_if_it_fails(tick):
    watch = Stopwatch()

    def fail():
        with watch.timing("refit"):
            tick(1.0)
            with watch.timing("fit"):
                tick(2.0)
                raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        fail()
    tick(0.25)
    report = watch.report()
    assert (report.refit, report.fit, report.other, report.total) == (1.0, 2.0, 0.25, 3.25)


def test_the_time_of_answering_is_divided_by_what_the_stages_took_on_all_threads(tick):
    watch = Stopwatch()
    with watch.timing(ASK):
        tick(8.0)
    watch.answered({"generate": 3.0, "rerank": 1.0})
    watch.answered({"generate": 9.0, "rerank": 3.0})
    report = watch.report()
    assert (report.generate, report.score, report.rerank, report.total) == (6.0, 0.0, 2.0, 8.0)
    watch = Stopwatch()
    with watch.timing(ASK):
        tick(2.0)
    assert (watch.report().generate, watch.report().other) == (0.0, 2.0)


def test_the_stages_of_a_run_add_up_and_the_refit_is_counted(experiment):
    run = hybridrec.run(experiment(("workers: 2", "refit: all")))
    seconds = json.loads((run.folder / "report.json").read_text())["seconds"]
    assert added_up(seconds) == pytest.approx(seconds["total"], rel=1e-9)
    assert min(seconds[stage] for stage in ("start", "read", "split", "fit", "evaluate", "refit", "write")) > 0
    assert min(seconds[stage] for stage in ("generate", "score", "rerank")) > 0
    refitted = [fit for fit in run.report.fits if fit.fold == "everything"]
    assert {fit.label for fit in refitted} >= {"ease", "pop"}
    assert {f"everything/full/{fit.label}" for fit in refitted} <= run.lock["fits"].keys()
