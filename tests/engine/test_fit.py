"""Fits as plain values: they pickle small, whatever the data, and refuse to be made by other plugins."""

import importlib
import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import hybridrec
from hybridrec import CurveFigure, FitTimeoutError, PluginError, StoreError
from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.load import load_experiment
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fit import BESIDE_NOTE, NOTES, UNSEEDED_NOTE, FitContext, Fitted, run_fit_job
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.memory import PeakMemory
from hybridrec.engine.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset
from tests.engine.toy_runs import plain


@pytest.fixture(scope="module")
def registry():
    return Registry()


def training_part(users=60):
    data = toy_dataset(users)
    return TrainingPart("test", "full", data, data.fingerprint)


@pytest.fixture
def planned(experiment, tmp_path):
    """A job of the small experiment, and the context to run it in: `planned(label, part)`."""
    registry = Registry()
    checked = load_experiment(experiment(), registry)
    fitter = Fitter(Store(tmp_path / "store"), registry, ThreadExecutor(1), seed=3, memory=10**9)

    def plan(label="noise", users=60):
        data = training_part(users)
        context = FitContext(fitter.store, registry, {data.fingerprint: data.train})
        return fitter.job(checked.components[label], data), context

    return plan


def test_a_job_pickles_small_and_no_larger_with_more_data(planned):
    sizes = [len(pickle.dumps(planned("ease", users)[0])) for users in (60, 2000)]
    assert sizes[0] == sizes[1] < 20_000


def test_a_context_pickles_without_its_data_and_finds_it_in_the_store(planned):
    job, context = planned()
    assert len(pickle.dumps(context)) < 1_000
    with pytest.raises(StoreError, match=r"the training part of components\.noise in fold test .* sets `needs_parts`"):
        run_fit_job(*pickle.loads(pickle.dumps((job, context))))
    context.store.put(job.data, context.parts[job.data].state())
    outcome = run_fit_job(*pickle.loads(pickle.dumps((job, context))))
    assert (outcome.key, outcome.cached) == (job.key, False)
    assert run_fit_job(job, context).cached


def test_blocked_plugins_are_blocked_in_every_process(toyland, tmp_path):
    context = FitContext(Store(tmp_path), Registry(block=["toyland"]))
    there = pickle.loads(pickle.dumps(context))
    assert "echo" not in there.registry.names("components")


def test_a_fit_pickles_as_its_job_and_is_the_same_there(planned):
    job, context = planned()
    run_fit_job(job, context)
    fitted = context.fitted(job)
    there = pickle.loads(pickle.dumps(fitted))
    assert there is there.context.fitted(job) is not fitted
    assert (there.job, there.outcome) == (job, fitted.outcome)
    np.testing.assert_array_equal(there.component.state()["items"], fitted.component.state()["items"])


def test_a_worker_with_another_version_of_the_plugin_refuses(planned, monkeypatch):
    job, context = planned()
    monkeypatch.setattr(context.registry.get("components", "echo"), "version", "2")
    with pytest.raises(PluginError, match=r"components.noise \(echo\) would differ if it was fitted here"):
        run_fit_job(job, context)
    assert job.key not in context.store


def test_who_asks_for_the_same_fit_gets_the_same_until_nobody_holds_it(planned, monkeypatch):
    job, context = planned()
    first = context.fitted(job)
    assert context.fitted(replace(job, threads=2)) is first
    made = []
    init = Fitted.__init__
    monkeypatch.setattr(Fitted, "__init__", lambda self, *given: made.append(1) or init(self, *given))
    del first
    context.fitted(job)
    assert made == [1]


def names():
    return Registry().names("components")


@pytest.mark.parametrize("name", names())
def test_the_options_of_every_component_survive_the_way_through_a_job(registry, name, tmp_path):
    from pydantic import ValidationError

    cls = registry.get("components", name)
    try:
        spec = ComponentSpec("label", cls, cls.Config())
    except ValidationError:
        pytest.skip("it has options without defaults")
    fitter = Fitter(Store(tmp_path), registry, ThreadExecutor(1), seed=3, memory=10**9)
    again = pickle.loads(pickle.dumps(fitter.job(spec, training_part()))).spec(registry)
    assert again.cls is cls
    assert again.options.model_dump_json() == spec.options.model_dump_json()


def test_a_damaged_artifact_is_fitted_again(experiment):
    first = hybridrec.run(experiment()).report
    for artifact in Store.default().artifacts():
        content = artifact.path.read_bytes()
        artifact.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert plain(hybridrec.run(experiment()).report) == plain(first)
    for artifact in Store.default().artifacts():
        assert Store.default().get(artifact.key) is not None


def test_a_failing_fit_says_where_and_keeps_the_others(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, misbehave: raise}"))
    with pytest.raises(RuntimeError, match="the echo is gone") as info:
        hybridrec.run(path)
    assert info.value.__notes__ == [
        "while fitting components.noise in fold test (full): echo 1, plugin 'toyland' (toyland 1.5)"
    ]
    report = hybridrec.run(path, ["components.noise.misbehave=''"]).report
    assert [fit.label for fit in report.fits if not fit.cached] == ["noise"]


def test_figures_that_cannot_be_shown_name_their_component(experiment, monkeypatch):
    path = experiment()
    echo = importlib.import_module("toyland").Echo
    monkeypatch.setattr(echo, "figures", lambda self, data: [CurveFigure("empty", "x", "y", [])])
    with pytest.raises(PluginError, match="figures: 'empty': 0 points") as info:
        hybridrec.run(path)
    assert info.value.__notes__ == [
        "while asking for the figures of components.noise in fold test (full): echo 1, plugin 'toyland' (toyland 1.5)"
    ]


@pytest.mark.parametrize("write", ['data.item_matrix("tags").data *= 2', "data.interactions.ids[:] = 0"])
def test_a_component_that_writes_to_the_data_is_named_and_spoils_no_stored_fit(experiment, monkeypatch, write):
    config = experiment()
    monkeypatch.setenv("HYBRIDREC_STORE", "clean")
    clean = hybridrec.run(config).report
    echo = importlib.import_module("toyland").Echo
    honest = echo.fit

    def fit(self, data, rng):
        exec(write, {"data": data})
        return honest(self, data, rng)

    monkeypatch.setenv("HYBRIDREC_STORE", "shared")
    monkeypatch.setattr(echo, "fit", fit)
    with pytest.raises(PluginError, match="echo writes to a shared array that it was given") as info:
        hybridrec.run(config)
    assert any("components.noise" in note and "toyland 1.5" in note for note in info.value.__notes__)
    monkeypatch.setattr(echo, "fit", honest)
    again = hybridrec.run(config).report
    assert plain(again)["pipelines"] == plain(clean)["pipelines"]


@pytest.fixture
def overtaken(experiment, monkeypatch):
    """Runs the small experiment while another run of it ends first: `overtaken(shift, reproducible)` gives both runs.

    The fit of the first run that ends later learns numbers that are larger by `shift`.
    """
    from toyland import Echo

    def run(shift, reproducible):
        path = experiment(("workers: 2", "workers: 1"))
        fit, others = Echo.fit, []

        def fit_while_another_does(self, data, rng):
            fitted = fit(self, data, rng)
            self.reproducible = reproducible
            if not others:
                others.append(None)
                others[0] = hybridrec.run(path, runs="other-runs")
                self.numbers = {name: numbers + np.float32(shift) for name, numbers in self.numbers.items()}
            return fitted

        monkeypatch.setattr(Echo, "fit", fit_while_another_does)
        return hybridrec.run(path), others[0]

    return run


@pytest.mark.parametrize(("shift", "reproducible"), [(0, True), (1, False)])
def test_of_two_fits_at_the_same_time_all_runs_use_the_first(overtaken, shift, reproducible):
    late, early = overtaken(shift, reproducible)
    assert [fit.label for fit in late.report.fits if fit.doubled] == ["noise"]
    assert not any(fit.doubled for fit in early.report.fits)
    assert late.report.comparable() == early.report.comparable()


def test_fits_at_the_same_time_that_differ_without_saying_that_they_may_are_an_error(overtaken):
    with pytest.raises(
        StoreError, match=r"stored other arrays .* made for component echo label noise.*not reproducible"
    ):
        overtaken(1, True)


@pytest.mark.parametrize("draw", [lambda: np.random.rand(), lambda: random.random(), lambda: np.random.seed(1)])  # noqa: NPY002
def test_numbers_from_a_generator_that_no_seed_decides_are_noted(planned, monkeypatch, draw):
    job, context = planned()
    noise = importlib.import_module("toyland").Echo
    fit = noise.fit
    monkeypatch.setattr(noise, "fit", lambda self, data, rng: (draw(), fit(self, data, rng))[1])
    assert any("no seed of the config decides" in note for note in run_fit_job(job, context).notes)


@pytest.fixture
def two_beside_each_other(planned, monkeypatch):
    """The fit of one that draws from the global generator, made while ease is fitted: its jobs, outcomes and store."""
    jobs = {label: planned(label) for label in ("noise", "ease")}
    both, drawn = threading.Barrier(2), threading.Event()
    noise, ease = (
        jobs[label][1].registry.get("components", name) for label, name in [("noise", "echo"), ("ease",) * 2]
    )
    fits = noise.fit, ease.fit

    def drawing(self, data, rng):
        both.wait(20)
        np.random.rand()  # noqa: NPY002
        drawn.set()
        return fits[0](self, data, rng)

    def waiting(self, data, rng):
        both.wait(20)
        assert drawn.wait(20)
        return fits[1](self, data, rng)

    monkeypatch.setattr(noise, "fit", drawing)
    monkeypatch.setattr(ease, "fit", waiting)
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda each: run_fit_job(*each), jobs.values()))
    return jobs, outcomes


def test_fits_beside_each_other_share_an_unstored_note_since_either_may_have_drawn(two_beside_each_other):
    jobs, outcomes = two_beside_each_other
    assert [outcome.notes for outcome in outcomes] == [(BESIDE_NOTE,)] * 2
    for job, context in jobs.values():
        assert context.store.about(job.key)[NOTES] == []
        assert run_fit_job(job, context).notes == ()


def test_a_fit_that_was_alone_keeps_its_note_in_the_store(planned, monkeypatch):
    job, context = planned()
    noise = importlib.import_module("toyland").Echo
    fit = noise.fit
    monkeypatch.setattr(noise, "fit", lambda self, data, rng: (random.random(), fit(self, data, rng))[1])
    assert run_fit_job(job, context).notes == run_fit_job(job, context).notes == (UNSEEDED_NOTE,)


def test_seeded_numbers_are_not_noted(planned):
    job, context = planned()
    assert run_fit_job(job, context).notes == ()


def test_a_fit_that_takes_more_than_the_budget_and_its_estimate_is_told_with_all_figures(planned, monkeypatch):
    job, context = planned("ease")
    seen = iter([10**9, *[9 * 10**9] * 50])
    monkeypatch.setattr("hybridrec.engine.fit.PeakMemory", lambda: PeakMemory(lambda: next(seen, 9 * 10**9)))
    context.memory = 8 * 10**9
    outcome = run_fit_job(replace(job, memory=3 * 10**9), context)
    assert outcome.notes[-1] == (
        "while it was fitted, its process held 9.0 GB, 8.0 GB more than before, and `memory` is 8.0 GB; "
        "its estimate was 3.0 GB"
    )
    assert outcome.notes[-1] not in (context.store.about(job.key) or {})[NOTES]


@pytest.mark.parametrize(("memory", "estimate"), [(None, 0), (10**10, 0), (8 * 10**9, 9 * 10**9)])
def test_a_fit_within_the_budget_or_its_estimate_has_no_note_on_memory(planned, monkeypatch, memory, estimate):
    job, context = planned("ease")
    seen = iter([10**9])
    monkeypatch.setattr("hybridrec.engine.fit.PeakMemory", lambda: PeakMemory(lambda: next(seen, 9 * 10**9)))
    context.memory = memory
    assert not any("its process held" in note for note in run_fit_job(replace(job, memory=estimate), context).notes)


def test_another_process_maps_the_texts_of_its_training_part(planned):
    job, context = planned("ease")
    data = context.training_part(job)
    context.store.put(job.data, data.state())
    other = pickle.loads(pickle.dumps(context))
    again = other.training_part(job)
    assert isinstance(again.users.text, PackedTexts)
    assert again.fingerprint == data.fingerprint
    assert run_fit_job(job, other).key == job.key


@pytest.mark.parametrize("reports", [True, False])
def test_a_fit_that_goes_on_after_its_limit_ends_at_its_next_report_and_is_not_stored(planned, monkeypatch, reports):
    job, context = planned("ease")
    cls = job.spec(context.registry).cls
    fit, released, threads, returned, heard = cls.fit, threading.Event(), [], [], []

    def late(component, data, rng):
        threads.append(threading.current_thread())
        released.wait(20)
        if reports:
            component.report(1, 2)
        returned.append(fit(component, data, rng))
        return returned[-1]

    monkeypatch.setattr(cls, "fit", late)
    context.timeout, context.listener = 0.05, lambda job, point: heard.append(point)
    with pytest.raises(FitTimeoutError, match=r"has not returned from its fit after 0\.05 s"):
        run_fit_job(job, context)
    released.set()
    threads[0].join(20)
    assert not threads[0].is_alive()
    assert bool(returned) != reports
    assert heard == []
    assert job.key not in context.store
