"""A search end to end: its budget, its failures, and its result."""

import os
import threading
from pathlib import Path

import pytest

import hybridrec
from hybridrec import ConfigError, ProcessExecutor, ThreadExecutor
from hybridrec.tuning.objective import Objective
from tests.tuning.searches import EASE, WEIGHTS, outcome

pytest.importorskip("optuna")
from hybridrec.tuning.sampler import Sampler


def test_a_config_without_the_section_is_refused(experiment):
    with pytest.raises(ConfigError, match="has no section `tune`"):
        hybridrec.tune(experiment())


def test_a_finished_search_is_carried_on_with_a_larger_budget(tunable):
    tuned = hybridrec.tune(tunable(), trials=3)
    more = hybridrec.tune(tunable(), trials=5, resume_from=tuned.folder)
    assert outcome(more)[:3] == outcome(tuned)
    assert len(more.trials) == 5


def test_time_is_a_budget_and_what_killed_searches_left_is_removed(tunable):
    left = Path("runs/toy-tune-1/.best.yaml.00000000-1.00000000")
    left.parent.mkdir(parents=True)
    left.touch()
    os.utime(left, (0, 0))
    assert len(hybridrec.tune(tunable(), seconds=1e-9).trials) == 1
    assert not left.exists()


def test_if_no_trial_keeps_the_bounds_that_is_an_error_with_the_nearest(tunable):
    with pytest.raises(
        ConfigError, match=r"none of 3 trials keeps coverage@5 >= 1, .*; the nearest, trial \d, has cov"
    ):
        hybridrec.tune(tunable(WEIGHTS.replace("space", "subject_to: [coverage@5 >= 1, ndcg@5 >= 1], space")), trials=3)
    (folder,) = Path("runs").iterdir()
    assert not (folder / "best.yaml").exists()
    assert len((folder / "trials.csv").read_text().splitlines()) == 4


def test_values_that_cannot_be_fitted_are_a_failed_trial(tunable):
    section = "{pipeline: hybrid, trials: 6, search: random, space: {components.noise.misbehave: ['', raise]}}"
    tuned = hybridrec.tune(tunable(section, ("noise: {use: echo}", "noise: {use: echo, misbehave: ''}")))
    failed = [trial for trial in tuned.trials if trial.state == "failed"]
    assert failed
    assert {trial.values["components.noise.misbehave"] for trial in failed} == {"raise"}
    assert {trial.problem for trial in failed} == {"RuntimeError: the echo is gone"}
    assert tuned.best[0].number == 0
    with pytest.raises(RuntimeError):
        hybridrec.tune(tunable(section), ["components.noise.misbehave=raise"], runs="other")


def test_a_run_of_a_config_to_be_tuned_takes_it_as_written_and_says_so(tunable):
    report = hybridrec.run(tunable()).report
    assert any("`hybridrec tune` searches" in note for note in report.notes)
    assert report.tuning is None


BATCH = f"{{pipeline: hybrid, trials: 8, batch: 3, space: {{{EASE}: {{low: 1.0, high: 50.0}}}}}}"


def test_a_batch_is_proposed_together_and_is_the_same_on_every_executor(tunable, monkeypatch):
    asked = []
    ask = Sampler.ask

    def noted(sampler, number):
        asked.append((number, len([trial for trial in sampler.study.trials if trial.state.name == "COMPLETE"])))
        return ask(sampler, number)

    monkeypatch.setattr(Sampler, "ask", noted)
    threads = hybridrec.tune(tunable(BATCH))
    assert asked == [(0, 0), (1, 1), (2, 1), (3, 1), (4, 4), (5, 4), (6, 4), (7, 7)]
    with ProcessExecutor(2) as executor:
        apart = hybridrec.tune(tunable(BATCH), executor=executor, store="apart")
    assert outcome(apart) == outcome(threads)
    begun = hybridrec.tune(tunable(BATCH), trials=6)
    assert outcome(hybridrec.tune(tunable(BATCH), resume_from=begun.folder)) == outcome(threads)
    assert apart.importance == threads.importance


def test_trials_of_a_batch_run_at_the_same_time_where_the_executor_allows_it(tunable, monkeypatch):
    class Elsewhere(ThreadExecutor):
        side_by_side = True

    together = threading.Barrier(3, timeout=60)
    measure = Objective.measure
    calls = []

    def meet(bench, *words):
        calls.append(words)
        if len(calls) > 1:
            together.wait()
        return measure(bench, *words)

    monkeypatch.setattr(Objective, "measure", meet)
    tuned = hybridrec.tune(tunable(BATCH), trials=4, executor=Elsewhere(2))
    monkeypatch.setattr(Objective, "measure", measure)
    assert outcome(tuned) == outcome(hybridrec.tune(tunable(BATCH), trials=4, store="alone"))
