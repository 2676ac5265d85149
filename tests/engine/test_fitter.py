"""The fit plan: what comes to one key is fitted once, and what uses another names its job."""

import pytest

import hybridrec
from hybridrec import MemoryBudgetError
from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.store import Store
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset
from tests.engine.toy_runs import events

NEAR = ("components:\n", "components:\n  als: {factors: 8}\n  near: {use: approximate, uses: als}\n")
UPON = (NEAR[0], f"{NEAR[1]}  upon: {{use: approximate, uses: near}}\n")


class Watched(ThreadExecutor):
    """Threads that remember the jobs."""

    def __init__(self, workers):
        super().__init__(workers)
        self.jobs = []

    def submit(self, jobs, context):
        self.jobs += jobs
        return super().submit(jobs, context)


@pytest.fixture
def specs(experiment):
    return load_experiment(experiment(NEAR), Registry()).components


@pytest.fixture
def fitter(tmp_path, toyland):
    return Fitter(Store(tmp_path / "store"), Registry(), Watched(4), seed=3, memory=10**9)


def training_part(fold, level="full"):
    data = toy_dataset()
    return TrainingPart(fold, level, data, data.fingerprint)


def test_jobs_that_come_to_the_same_key_are_fitted_once(specs, fitter):
    """Equal training parts of two folds: one fit, told of once, for both."""
    told = []
    first, second = fitter.fit(
        [(specs["noise"], training_part("one")), (specs["noise"], training_part("two"))], told.append
    )
    assert first is second
    assert [fit.key for fit in told] == [first.key] == [job.key for job in fitter.executor.jobs]


def test_what_is_used_is_fitted_too_and_is_the_very_instance(specs, fitter):
    pytest.importorskip("implicit")
    with one_thread_per_library():  # as in a run: ALS warns where the library has several
        near, als = fitter.fit([(specs["near"], training_part("one")), (specs["als"], training_part("one"))])
    assert near.job.base_model.key == als.key
    assert near.base_model is als
    assert len(fitter.executor.jobs) == 2


def test_what_is_used_may_use_another_itself(experiment, fitter):
    pytest.importorskip("implicit")
    chained = load_experiment(experiment(UPON), Registry()).components
    with one_thread_per_library():
        (upon,) = fitter.fit([(chained["upon"], training_part("one"))])
    near = upon.base_model
    assert [job.label for job in fitter.executor.jobs] == ["als", "near", "upon"]
    assert (near.job.label, near.base_model.job.label, near.base_model.base_model) == ("near", "als", None)
    assert upon.component.vectors("items") is near.base_model.component.vectors("items")


def test_the_key_of_what_uses_another_holds_the_options_of_all_below(experiment, fitter):
    other = (UPON[0], UPON[1].replace("factors: 8", "factors: 4"))
    keys = [
        {label: fitter.key(specs[label], training_part("one")) for label in ("als", "near", "upon", "pop")}
        for specs in (load_experiment(experiment(change), Registry()).components for change in (UPON, other))
    ]
    assert {label for label in keys[0] if keys[0][label] != keys[1][label]} == {"als", "near", "upon"}


def test_a_few_fits_share_all_threads(specs, fitter):
    fitter.fit([(specs["noise"], training_part("one"))])
    fitter.fit([(specs["ease"], training_part("one")), (specs["pop"], training_part("one"))])
    assert [job.threads for job in fitter.executor.jobs] == [4, 2, 2]


def test_a_job_says_how_much_memory_it_takes(specs, fitter):
    data = training_part("one")
    fitter.fit([(specs["ease"], data)])
    assert fitter.executor.jobs[0].memory == specs["ease"].create().memory(data.train) > 0


def test_what_two_pipelines_share_is_fitted_once(experiment):
    report = hybridrec.run(experiment()).report
    labels = [fit.label for fit in report.fits]
    assert sorted(labels) == sorted({"ease", "pop", "noise", "tag-fallback", "popularity"})
    assert not any(fit.cached for fit in report.fits)
    assert {event["label"] for event in events("fitted")} == {*labels}
    assert len(events("fitted")) == len(labels)


def test_a_fit_beyond_the_memory_budget_is_refused_before_any_other(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, bytes: 9000000000}"))
    with pytest.raises(MemoryBudgetError, match=r"components.noise \(echo\) would need about 9.0 GB .* is 8.0 GB"):
        hybridrec.run(path)
    assert Store.default().artifacts() == []
