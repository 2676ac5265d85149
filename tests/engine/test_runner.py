"""One experiment end to end: what is fitted, what is kept, what is asked again, and what survives an end."""

import importlib
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import hybridrec
from hybridrec import PluginError, Run
from hybridrec.config.load import load_experiment
from hybridrec.engine.runner import ExperimentRunner, NullProgress, read
from hybridrec.engine.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset
from tests.cli.processes import command, environment
from tests.engine.toy_runs import asked, changed, plain


def test_a_second_run_fits_nothing_asks_nothing_and_reports_the_same(experiment):
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    second = hybridrec.run(experiment()).report
    assert all(fit.cached for fit in second.fits)
    assert plain(second) == plain(first)
    assert asked() == set()
    assert second.seconds.generate == second.seconds.score == second.seconds.rerank == 0


def test_another_weight_is_only_blended_again(experiment):
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    second = hybridrec.run(experiment(("pop: 0.2", "pop: 0.9"))).report
    assert all(fit.cached for fit in second.fits)
    assert asked() == {("rerank", "hybrid")}
    assert second.pipelines["control"] == first.pipelines["control"]
    assert second.pipelines["hybrid"] != first.pipelines["hybrid"]
    assert second.config_hash != first.config_hash


def test_another_component_is_fitted_alone(experiment):
    """With one more component in the blend, all else comes from the store, the pools of other pipelines too."""
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    more = (
        ("noise: {use: echo}", "noise: {use: echo}\n  rare: {use: ease, l2: 50}"),
        ("scorers: [pop]", "scorers: [pop, rare]"),
    )
    second = hybridrec.run(experiment(*more)).report
    assert {fit.label for fit in second.fits if not fit.cached} == {"rare"}
    assert changed(first, second) == {"rare"}
    assert {pipeline for _, pipeline in asked()} == {"hybrid"}
    assert second.pipelines["control"] == first.pipelines["control"]


def test_a_run_killed_while_fitting_leaves_what_it_fitted(experiment, toyland, tmp_path):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, seconds: 60}"))
    words = command("run", path)
    process = subprocess.Popen(words, cwd=tmp_path, env=environment(toyland), stderr=subprocess.PIPE)
    store = Store(tmp_path / ".hybridrec" / "store")
    deadline = time.monotonic() + 30
    while len(store.artifacts()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list(Path("runs").glob("*"))
    report = hybridrec.run(path, ["components.noise.seconds=0"]).report
    assert sum(fit.cached for fit in report.fits) >= 2
    assert not {fit.label: fit.cached for fit in report.fits}["noise"]


def test_two_runs_at_once_share_a_store(experiment, toyland, tmp_path):
    path = experiment()
    words = command("run", path, "--quiet")
    both = [
        subprocess.Popen(words, cwd=tmp_path, env=environment(toyland), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    reports = [Run.open(tmp_path / Path(process.communicate()[0].strip()).parent).report for process in both]
    assert plain(reports[0]) == plain(reports[1])
    assert [process.returncode for process in both] == [0, 0]


@pytest.mark.parametrize(
    ("misbehave", "message", "note"),
    [
        (
            "object",
            "state: 'oops' is an array of Python objects",
            "while fitting components.noise in fold test (full): echo 1",
        ),
        (
            "infinite",
            "an id of query 0 has the score inf",
            "in pipeline 'hybrid', generator 'noise': echo 1, plugin 'toyland' (toyland 1.5)",
        ),
    ],
)
def test_a_component_that_breaks_its_contract_is_named(experiment, misbehave, message, note):
    path = experiment(("noise: {use: echo}", f"noise: {{use: echo, misbehave: {misbehave}}}"))
    with pytest.raises(PluginError, match=message) as info:
        hybridrec.run(path)
    assert any(note in line for line in info.value.__notes__)


def test_a_reader_that_gives_no_dataset_is_named(experiment, monkeypatch):
    path = experiment()
    monkeypatch.setattr(importlib.import_module("toyland").ToyReader, "read", lambda self: None)
    with pytest.raises(PluginError, match="read must return a Dataset, not NoneType") as info:
        hybridrec.run(path)
    assert info.value.__notes__ == ["while reading the data: toy 1, plugin 'toyland' (toyland 1.5)"]


def test_the_embedded_shows_end_to_end(experiment):
    path = experiment(
        ("{reader: toy}", "{reader: setlists, min_items: 25}"), ("noise: {use: echo}", "noise: {use: random}")
    )
    report = hybridrec.run(path).report
    assert report.pipelines["hybrid"].metrics["ndcg@5"].mean > 0
    assert report.data.items > 100


class Steps(NullProgress):
    """A progress that writes down its tasks: name, steps announced, steps done."""

    def __init__(self):
        self.tasks = []

    @contextmanager
    def task(self, name, total):
        done = []
        yield done.append
        self.tasks.append((name, total, sum(done)))


def test_progress_is_told_of_every_fit_and_every_query_of_each_pipeline(experiment):
    registry, progress = Registry(), Steps()
    checked = load_experiment(experiment(("workers: 2", "repeats: 2")), registry)
    result = ExperimentRunner(checked, registry, Store.default(), progress).run()
    asked = 2 * len(result.sample)
    assert progress.tasks == [
        ("fit test, repeat 1", 5, 5), ("ask test", asked, asked), ("ask test", asked, asked),
        ("fit test, repeat 2", 5, 5), ("ask test", asked, asked), ("ask test", asked, asked),
    ]  # fmt: skip


def test_only_an_experiment_to_be_served_is_trained_on_everything(experiment):
    registry = Registry()

    def result(*replacements, validation=False):
        checked = replace(load_experiment(experiment(*replacements), registry), validation=validation)
        return ExperimentRunner(checked, registry, Store.default(), NullProgress()).run()

    served = ("workers: 2", "workers: 2\nrefit: all"), ("  resamples", "  singles: true\n  resamples")
    servable = result(*served).servable
    assert [*servable.pipelines] == ["control", "hybrid"]  # reference arms are measured alone
    assert servable.trained_on == read(load_experiment(experiment(), registry)).fingerprint
    assert {source.name for source in servable.plugins} >= {"toyland", "linear"}
    assert result().servable is None
    assert result(*served, validation=True).servable is None


def test_of_two_runs_that_read_or_learn_at_the_same_time_both_use_what_was_first(experiment, monkeypatch):
    from toyland import Student, ToyReader

    path = experiment(("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]"))
    read, learn, others = ToyReader.read, Student.fit_on_predictions, []

    def read_something_else(self):
        if not others:
            others.append(None)
            others[0] = hybridrec.run(path, runs="first")
            return toy_dataset(50, 40, 12)
        return read(self)

    def learn_something_else(self, *arguments):
        learn(self, *arguments)
        if len(others) == 1:
            others.append(None)
            others[1] = hybridrec.run(path, runs="second")
            self.lesson = self.lesson + 1
        return self

    monkeypatch.setattr(ToyReader, "fingerprint", lambda self: "the same", raising=False)
    monkeypatch.setattr(ToyReader, "read", read_something_else)
    run = hybridrec.run(path, runs="late")
    assert run.report.comparable() == others[0].report.comparable()
    monkeypatch.setattr(Student, "fit_on_predictions", learn_something_else)
    monkeypatch.setattr(Student, "reproducible", False)
    changed = path.read_text().replace("seed: 3", "seed: 4")
    path.write_text(changed)
    run = hybridrec.run(path, runs="late")
    assert others[1] is not None
    assert run.report.comparable() == others[1].report.comparable()
