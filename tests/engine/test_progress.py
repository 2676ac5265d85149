"""Reports of components during their fit reach observers, the progress and the report, and decide nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hybridrec
from hybridrec.engine.progress import MOST_POINTS, ProgressPoint, ProgressSeries, progress_report
from hybridrec.engine.runner import NullProgress

PLUGIN = '''
from hybridrec import find

Popularity = find("component", "popularity")


class LearnerOptions(Popularity.Config):
    """Options of `learner`."""

    epochs: int = 3
    """Epochs."""
    ended: bool = False
    """Whether a clock ends it."""


class Learner(Popularity):
    """Popularity in epochs."""

    name = "learner"
    Config = LearnerOptions

    def fit(self, data, rng):
        for epoch in range(self.config.epochs):
            self.report(epoch + 1, self.config.epochs, loss=1 / (epoch + 1), norm=float("nan"))
        self.ended_by_clock = self.config.ended
        return super().fit(data, rng)
'''


@pytest.fixture
def learner(tmp_path):
    path = tmp_path / "learner.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def config(experiment):
    """Writes an experiment with a component that reports."""

    def write(options="", *more):
        return experiment(
            ("noise: {use: echo}", f"noise: {{use: learner{options}}}"),
            ("{toy-events: {}}", "{jsonl: {path: events.jsonl}}"),
            *more,
        )

    return write


def series(n, names=("loss",)):
    made = ProgressSeries()
    for step in range(1, n + 1):
        made.add(ProgressPoint.told(step, n, dict.fromkeys(names, 1 / step)))
    return made.points


def progressed():
    lines = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "FitProgressed"]


def fit_of(run):
    return next(fit for fit in run.report.fits if fit.label == "noise")


@pytest.mark.parametrize("n", [0, 1, 2, MOST_POINTS - 1, MOST_POINTS, MOST_POINTS + 1, 1_000, 12_345])
def test_a_series_is_bounded_in_order_and_ends_with_the_last_step(n):
    steps = [point.step for point in series(n)]
    assert len(steps) <= MOST_POINTS
    assert len(steps) >= min(n, MOST_POINTS // 2)
    assert steps == sorted(set(steps))
    assert (steps[:1], steps[-1:]) == (([1], [n]) if n else ([], []))
    if n < MOST_POINTS:
        assert steps == list(range(1, n + 1))


def test_what_is_told_becomes_plain_values():
    point = ProgressPoint.told(1, 2, {"loss": float("inf"), "rate": 1})
    assert (point.step, point.of, dict(point.numbers)) == (1, 2, {"loss": None, "rate": 1.0})
    with pytest.raises(ValueError, match="could not convert"):
        ProgressPoint.told(1, 2, {"loss": "low"})


def test_a_number_that_is_told_now_and_then_has_gaps():
    points = [ProgressPoint.told(1, 2, {"loss": 2}), ProgressPoint.told(2, 2, {"loss": 1, "valid": 3})]
    told = progress_report(points)
    assert (told.of, told.steps, told.numbers) == (2, [1, 2], {"loss": [2.0, 1.0], "valid": [None, 3.0]})
    assert progress_report([]) is None


class Shown(NullProgress):
    """Remembers what it was to show."""

    def __init__(self):
        self.told = []

    def report(self, fit, step, of, numbers):
        self.told.append((fit, step, of, numbers))


def test_a_report_reaches_progress_observers_and_the_report_of_the_run(config, learner):
    shown = Shown()
    run = hybridrec.run(config(), plugins=[learner], progress=shown)
    assert [told[:3] for told in shown.told] == [("noise (full)", step, 3) for step in (1, 2, 3)]
    assert shown.told[1][3] == {"loss": 0.5, "norm": None}
    told = progressed()
    assert [(line["label"], line["step"], line["of"], line["numbers"]["loss"]) for line in told] == [
        ("noise", 1, 3, 1.0), ("noise", 2, 3, 0.5), ("noise", 3, 3, 1 / 3),
    ]  # fmt: skip
    fit = fit_of(run)
    assert fit.progress.steps == [1, 2, 3]
    assert fit.progress.numbers == {"loss": [1.0, 0.5, 1 / 3], "norm": [None] * 3}
    assert all(other.progress is None for other in run.report.fits if other.label == "pop")
    again = hybridrec.run(config(), plugins=[learner])
    assert (fit_of(again).cached, fit_of(again).progress) == (True, fit.progress)
    assert len(progressed()) == 3


def test_a_report_comes_back_from_other_processes(config, learner, processes):
    run = hybridrec.run(config(), plugins=[learner], executor=processes)
    assert fit_of(run).progress.steps == [1, 2, 3]
    assert [line["step"] for line in progressed()] == [1, 2, 3]


def test_a_report_outside_a_run_is_nothing(learner):
    from hybridrec.testing import toy_dataset

    cls = hybridrec.Registry(plugins=[learner]).get("components", "learner")
    assert cls().fit(toy_dataset(), None).report(1, 2, loss=0.5) is None


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_fit_that_a_clock_ended_says_so_and_no_other_run_takes_it(config, learner, executor, request):
    executor = None if executor == "threads" else request.getfixturevalue(executor)
    path = config(", ended: true", ("workers: 2", "workers: 2\nrefit: all"))
    runs = [hybridrec.run(path, plugins=[learner], executor=executor) for _ in range(2)]
    for run in runs:
        fit = fit_of(run)
        assert (fit.ended_by_clock, fit.cached) == (True, False)
        assert [note for note in run.report.notes if note.startswith("noise, test: a limit of time ended this fit")]
        assert hybridrec.Store.default().get(fit.key) is not None
        assert not [other.label for other in run.report.fits if other.ended_by_clock and other.label != "noise"]
    first, second = map(fit_of, runs)
    assert first.key != second.key
    assert runs[0].slates("hybrid").equals(runs[1].slates("hybrid"))


def test_what_uses_a_fit_that_a_clock_ended_is_not_kept_either(experiment, tmp_path):
    pytest.importorskip("implicit")
    path = tmp_path / "hasty.py"
    path.write_text(
        "from hybridrec import find\n\n\nclass Hasty(find('component', 'als')):\n    '''ALS in a hurry.'''\n\n"
        "    name = 'hasty'\n\n    def fit(self, data, rng):\n        self.ended_by_clock = True\n"
        "        return super().fit(data, rng)\n"
    )
    config = experiment(
        ("components:\n", "components:\n  als: {use: hasty, factors: 8}\n  near: {use: approximate, uses: als}\n"),
        ("scorers: [pop]", "scorers: [pop, near]"),
        ("pop: 0.2}}]", "pop: 0.2, near: 0.5}}]"),
    )
    runs = [hybridrec.run(config, plugins=[path]) for _ in range(2)]
    keys = []
    for run in runs:
        ended = {fit.label: fit.key for fit in run.report.fits if fit.ended_by_clock}
        assert ended.keys() == {"als", "near"}
        keys += ended.values()
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    "component", ["{use: word2vec, epochs: 3, dim: 4}", "{use: denoising-autoencoder, epochs: 3, hidden: 4}"]
)
def test_what_learns_in_epochs_reports_the_loss_of_each(experiment, component):
    pytest.importorskip("gensim")
    path = experiment(("noise: {use: echo}", f"noise: {component}"))
    told = fit_of(hybridrec.run(path)).progress
    assert (told.of, told.steps) == (3, [1, 2, 3])
    assert all(loss > 0 for loss in told.numbers["loss"])


def test_a_search_tells_its_observers_what_fits_report(config, learner):
    pytest.importorskip("optuna")
    section = "tune: {pipeline: hybrid, trials: 2, search: random, space: {components.noise.epochs: [3, 4]}}"
    hybridrec.tune(config("", ("workers: 2", f"workers: 2\n{section}")), plugins=[learner])
    assert [line["step"] for line in progressed()][:3] == [1, 2, 3], "the first trial is the config as it stands"
    assert {line["label"] for line in progressed()} == {"noise"}
