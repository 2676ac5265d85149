"""Early stopping and choices of components see queries out of their own training parts, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, DataError, PluginError
from hybridrec.config.load import load_experiment
from hybridrec.data.splits import Masked
from hybridrec.engine import train
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fit import FitContext, run_fit_job
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.folds import PartSplitter
from hybridrec.engine.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset
from tests.engine.toy_runs import changed

PLUGIN = """
from hybridrec import find

Popularity = find("component", "popularity")


class Chooser(Popularity):
    \"\"\"Popularity that says what its validation split is like.\"\"\"

    name = "chooser"
    validates = True

    def fit(self, data, rng):
        fold = self.validation.fold
        had, left = (part.interactions.matrix(binary=True)[fold.units] for part in (data, self.validation.train))
        asked = fold.truth["items"]
        assert asked.multiply(had).nnz == asked.nnz > asked.multiply(left).nnz == 0
        super().fit(self.validation.train, rng)
        self.value = f"nDCG {self.validation.ndcg(self):.6f} of {len(fold.queries)} queries"
        return super().fit(data, rng)

    def notes(self):
        return [self.value]
"""
STOPPED = "{use: denoising-autoencoder, hidden: 4, epochs: 12, batch: 16, patience: 2}"


@pytest.fixture
def chooser(tmp_path):
    path = tmp_path / "chooser.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def config(experiment):
    """Writes an experiment with a component that chooses, one that stops early, and a blend behind a guard."""

    def write(*more):
        return experiment(
            ("noise: {use: echo}", f"noise: {{use: chooser}}\n  stopped: {STOPPED}"),
            ("{from: noise, k: 10}", "{from: noise, k: 10}, {from: stopped, k: 10}"),
            ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated, min_queries: 1}]"),
            *more,
        )

    return write


def choices(run):
    """The notes and the progress of the fits that choose, by label, fold and level."""
    fits = [fit for fit in run.report.fits if fit.label in ("noise", "stopped")]
    about = hybridrec.Store.default().about
    return {(fit.label, fit.fold, fit.level): (fit.progress, about(fit.key)["notes"]) for fit in fits}


def every_second(fold):
    """The fold without the truth of every second id."""
    kept = {target: truth.multiply(np.arange(truth.shape[1]) % 2).tocsr() for target, truth in fold.truth.items()}
    for truth in kept.values():
        truth.eliminate_zeros()
    return replace(fold, truth=kept, gains={})


def test_components_choose_at_both_levels_on_queries_out_of_their_own_part(config, chooser):
    run = hybridrec.run(config(), plugins=[chooser])
    made = choices(run)
    assert len(made) == 4
    assert made["noise", "test", "full"] != made["noise", "test", "out_of_fold"]
    for level in ("full", "out_of_fold"):
        progress, notes = made["stopped", "test", level]
        ranked = [value for value in progress.numbers["validation_ndcg@20"] if value is not None]
        best = int(np.argmax(ranked)) + 1
        assert len(ranked) == min(best + 2, 12)
        assert notes == [f"{best} of 12 epochs ranked the validation queries best"]
        assert sum(value is not None for value in progress.numbers["loss"]) == best, "trained so long on everything"
    again = hybridrec.run(config(), plugins=[chooser])
    assert all(fit.cached for fit in again.report.fits)


def test_truth_that_blends_guards_and_metrics_see_decides_no_choice(config, chooser, monkeypatch):
    before = hybridrec.run(config(), plugins=[chooser])
    stacking, test = train.validation_fold, Masked.split
    monkeypatch.setattr(train, "validation_fold", lambda *args: every_second(stacking(*args)))
    monkeypatch.setattr(Masked, "split", lambda *args: map(every_second, test(*args)))
    other = hybridrec.run(config(), plugins=[chooser], store="fresh")
    learned = [run.report.pipelines["hybrid"].learned["test"]["items"] for run in (before, other)]
    assert learned[0] != learned[1], "the truth that was changed must be that of the blend"
    assert changed(before.report, other.report) == set()
    assert not any(fit.cached for fit in other.report.fits)
    assert {fit.key: fit.progress for fit in other.report.fits} == {f.key: f.progress for f in before.report.fits}


def test_another_training_part_or_seed_chooses_anew(config, chooser):
    first = choices(hybridrec.run(config(), plugins=[chooser]))
    for other in (("test: 0.3", "test: 0.4"), ("seed: 3", "seed: 4")):
        for key, made in choices(hybridrec.run(config(other), plugins=[chooser])).items():
            assert made != first[key], key


def test_processes_cut_the_same_split(config, chooser, processes):
    threads = hybridrec.run(config(), plugins=[chooser])
    apart = hybridrec.run(config(), plugins=[chooser], executor=processes, store="apart")
    assert not any(fit.cached for fit in apart.report.fits)
    assert {fit.key: fit.progress for fit in apart.report.fits} == {f.key: f.progress for f in threads.report.fits}
    assert apart.report.notes == threads.report.notes


def test_nothing_is_cut_for_components_that_do_not_ask(experiment, monkeypatch):
    monkeypatch.setattr(PartSplitter, "split", lambda *args: pytest.fail("nobody validates"))
    hybridrec.run(experiment(("noise: {use: echo}", "noise: {use: denoising-autoencoder, hidden: 4, epochs: 1}")))


def test_a_worker_that_cuts_another_split_refuses(config, chooser, tmp_path):
    registry = Registry(plugins=[chooser])
    checked = load_experiment(config(), registry)
    data, splitter = toy_dataset(), PartSplitter.of(checked)
    training_part = TrainingPart("test", "full", data, data.fingerprint, splitter)
    fitter = Fitter(Store(tmp_path / "store"), registry, ThreadExecutor(1), seed=3, memory=10**9)
    job = fitter.job(checked.components["noise"], training_part)
    assert job.validation == training_part.validation[0] != ""
    parts = {data.fingerprint: data}
    elsewhere, here = (FitContext(fitter.store, registry, parts) for _ in range(2))
    elsewhere.splitter, here.splitter = replace(splitter, seed=4), splitter
    with pytest.raises(PluginError, match=r"'masked' cuts another validation split for components\.noise here"):
        run_fit_job(job, elsewhere)
    assert not run_fit_job(job, here).cached


def test_a_split_excludes_what_all_pipelines_exclude_and_asks_for_the_rest(experiment):
    allowed = [f"item {number:02}" for number in range(20)]
    filtered = ("targets:", f"filters: [{{use: allow, ids: [{', '.join(allowed)}]}}]\ntargets:")
    data = toy_dataset()
    allowing = ("hybrid:\n", "hybrid:\n    seen: allow\n"), ("control: {", "control: {seen: allow, ")
    for more, seen in ((), True), (allowing[:1], True), (allowing, False):
        checked = load_experiment(experiment(filtered, *more), Registry())
        split = PartSplitter.of(checked).split(data, "test", "full")
        holds = split.exclude["items"].holds(np.tile(np.arange(40, dtype=np.int32), (len(split.fold.queries), 1)))
        assert holds[:, 20:].all()
        assert not holds[:, :20].all(axis=1).any()
        shown = split.fold.queries.history.matrix().toarray() > 0
        assert holds[:, :20][shown[:, :20]].any() == seen
        assert split.fold.truth["items"].getnnz(axis=0)[20:].sum() == 0


def test_a_split_without_queries_says_so(experiment, monkeypatch):
    checked = load_experiment(experiment(), Registry())
    whole = Masked.validation_split

    def nobody(self, train, rng):
        fold, none = whole(self, train, rng), slice(0, 0)
        truth = {target: matrix[none] for target, matrix in fold.truth.items()}
        return replace(
            fold,
            queries=fold.queries.take(none),
            truth=truth,
            units=fold.units[none],
            weights=fold.weights[none],
            gains={},
        )

    monkeypatch.setattr(Masked, "validation_split", nobody)
    with pytest.raises(DataError, match=r"validation of components in test \(full\): the split holds nothing out"):
        PartSplitter.of(checked).split(toy_dataset(), "test", "full")


def test_what_stands_on_another_component_cannot_validate(experiment, tmp_path):
    path = tmp_path / "near.py"
    path.write_text(
        'from hybridrec import find\n\n\nclass Near(find("component", "approximate")):\n'
        '    """Searches, and validates."""\n\n    name = "near"\n    validates = True\n'
    )
    config = experiment(("noise: {use: echo}", "noise: {use: near, uses: als}\n  als: {factors: 4}"))
    message = r"components\.noise\.uses: 'near' validates what it learns, and 'als' would have seen the answers"
    with pytest.raises(ConfigError, match=message):
        hybridrec.run(config, plugins=[path])
