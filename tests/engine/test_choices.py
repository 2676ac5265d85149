"""Choices of options, and early stopping, see queries out of a component's own training part, and nothing else."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, DataError, MemoryBudgetError, PluginError
from hybridrec.config.experiment import ComponentSpec, OptionChoice
from hybridrec.config.load import load_experiment
from hybridrec.data.splits import Masked
from hybridrec.engine import choices as engine_choices
from hybridrec.engine import fit as engine_fit
from hybridrec.engine import train
from hybridrec.engine.choices import Choice
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fit import FitContext, run_fit_job
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.folds import PartSplitter
from hybridrec.engine.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.stages.validation_split import ValidationSplit
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


def test_a_split_excludes_what_all_pipelines_exclude_and_what_any_has_seen(experiment):
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


def test_another_process_reads_a_splitter_without_packaging(experiment, tmp_path, monkeypatch):
    path = tmp_path / "loose_split.py"
    path.write_text('from hybridrec import find\n\n\nclass Mine(find("splitter", "masked")):\n    name = "mine"\n')
    registry = Registry(plugins=[path])
    context = FitContext(Store(tmp_path / "store"), registry)
    context.splitter = PartSplitter.of(load_experiment(experiment(("use: masked", "use: mine")), registry))
    content = pickle.dumps(context)
    monkeypatch.delitem(sys.modules, type(context.splitter.splitter).__module__)
    engine_fit._registry.cache_clear()
    assert pickle.loads(content).splitter.splitter.name == "mine"


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


@pytest.fixture
def eager(monkeypatch):
    """Choices take the best mean: the few queries of the toy make nothing clear."""
    monkeypatch.setattr(engine_choices, "MARGIN", 0.0)


EASE = ("ease: {l2: 5}", "ease: {choose: {l2: [5, 0.01, 900]}}")
LEARNED = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]")


def chosen(run, label="ease"):
    """Return the chosen option of each fit of a component, by level."""
    return {fit.level: fit.chosen for fit in run.report.fits if fit.label == label}


def note_of(run):
    """Return the note on the choice."""
    (note,) = [note for note in run.report.notes if note.startswith("ease, test: `l2` is")]
    return note


def test_an_option_is_chosen_once_for_both_levels_and_equals_the_same_value_written(experiment, eager):
    run = hybridrec.run(experiment(EASE, LEARNED))
    values = chosen(run)
    assert values["full"] == values["out_of_fold"] != {}
    ndcg = [float(text.split(" with ")[0]) for text in note_of(run).partition("part is ")[2].split(", ")]
    assert values["full"]["l2"] == (5, 0.01, 900)[int(np.argmax(ndcg))] != 5
    written = hybridrec.run(experiment(("ease: {l2: 5}", f"ease: {{l2: {values['full']['l2']}}}"), LEARNED))
    assert all(fit.cached for fit in written.report.fits)
    assert {fit.key for fit in written.report.fits} == {fit.key for fit in run.report.fits}
    assert chosen(written) == {"full": {}, "out_of_fold": {}}


def test_a_choice_is_kept_and_the_written_config_makes_it_again(experiment, monkeypatch):
    run = hybridrec.run(experiment(EASE, LEARNED))
    monkeypatch.setattr(ValidationSplit, "ndcg_by_query", lambda *args: pytest.fail("the choice is in the store"))
    again = hybridrec.run(run.folder / "config.yaml")
    assert chosen(again) == chosen(run)
    assert note_of(again) == note_of(run)
    assert again.report.config_hash == run.report.config_hash


def test_without_a_learner_the_choice_is_made_inside_the_whole_training_part(experiment):
    run = hybridrec.run(experiment(EASE))
    assert chosen(run).keys() == {"full"}
    assert chosen(run)["full"]


def test_truth_that_blends_and_metrics_see_decides_no_option(experiment, monkeypatch):
    blend = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated, min_queries: 1}]")
    before = hybridrec.run(experiment(EASE, blend))
    stacking, test = train.validation_fold, Masked.split
    monkeypatch.setattr(train, "validation_fold", lambda *args: every_second(stacking(*args)))
    monkeypatch.setattr(Masked, "split", lambda *args: map(every_second, test(*args)))
    other = hybridrec.run(experiment(EASE, blend), store="fresh")
    assert note_of(other) == note_of(before)
    lessons = [run.report.pipelines["hybrid"].learned["test"]["items"] for run in (before, other)]
    assert lessons[0] != lessons[1], "the truth that was changed must be that of the blend"


def test_what_stands_on_a_chosen_component_gets_the_chosen_one(experiment, eager):
    config = experiment(
        ("noise: {use: echo}", "noise: {use: approximate, uses: als}\n  als: {factors: 4, choose: {alpha: [1, 50]}}")
    )
    run = hybridrec.run(config)
    value = chosen(run, "als")["full"]["alpha"]
    written = ("noise: {use: echo}", f"noise: {{use: approximate, uses: als}}\n  als: {{factors: 4, alpha: {value}}}")
    plain = hybridrec.run(experiment(written))
    assert {fit.key for fit in plain.report.fits} == {fit.key for fit in run.report.fits}


def test_a_bundle_and_a_refresh_keep_the_chosen_value(experiment):
    als = ("noise: {use: echo}", "noise: {use: als, factors: 4, choose: {alpha: [1, 50]}}")
    run = hybridrec.run(experiment(EASE, LEARNED, als, ("workers: 2", "workers: 2\nrefit: all")))
    served = hybridrec.load(run.folder).components
    value = served["ease"].config.l2
    assert any(note.startswith(f"ease, everything: `l2` is {value}:") for note in run.report.notes)
    hybridrec.refresh(run, ("data.users=80", "data.items=50"))
    refreshed = hybridrec.load(run.folder).components
    assert {label: model.config for label, model in refreshed.items()} == {
        label: model.config for label, model in served.items()
    }


def test_the_plan_counts_the_fits_that_choose(experiment):
    jobs = {(job.label, job.level): (job.fits, job.stored) for job in hybridrec.plan(experiment(EASE, LEARNED)).jobs}
    assert jobs["ease", "choice"] == (3, 0)
    assert jobs["ease", "full"] == (1, 0)
    hybridrec.run(experiment(EASE, LEARNED))
    jobs = {(job.label, job.level): job.stored for job in hybridrec.plan(experiment(EASE, LEARNED)).jobs}
    assert jobs["ease", "choice"] == 3


def test_another_value_than_the_first_must_be_clearly_better():
    Ease = Registry().get("components", "ease")
    options = tuple(Ease.Config(l2=value) for value in (1, 2, 3))
    spec = ComponentSpec("ease", Ease, Ease.Config(), choice=OptionChoice("l2", options))
    first = np.linspace(0, 0.8, 9)
    noise = np.array([0.1, -0.1] * 4 + [0.1])
    cases = {
        "equal": ([first, first, first], 1),
        "better by luck": ([first, first + noise, first], 1),
        "clearly better": ([first, first + 0.1 + noise / 10, first + 0.05 + noise / 10], 2),
        "worse": ([first, first - 0.1 + noise / 10, first], 1),
        "nothing was ranked": ([np.empty(0)] * 3, 1),
    }
    for case, (values, best) in cases.items():
        assert Choice.of(spec, values, np.ones(len(values[0]))).decided.options.l2 == best, case
    weights = np.array([0.0] * 8 + [1.0])
    assert Choice.of(spec, [first, first + noise, first], weights).ndcg == pytest.approx((0.8, 0.9, 0.8))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{l2: 5, choose: {l2: [5, 6]}}", r"choose\.l2: 'l2' has a value beside `choose`, too"),
        ("{choose: {l3: [5, 6]}}", r"choose\.l3\[0\]: unknown key: .*'l2'"),
        ("{choose: {l2: [5, -6]}}", r"choose\.l2\[1\]: .*greater than or equal to 0"),
        ("{choose: {l2: [5, 5.0]}}", r"choose\.l2: two of these values are equal"),
        ("{choose: {l2: [5]}}", r"choose\.l2: .*at least 2"),
        ("{choose: {l2: [1, 2, 3, 4, 5]}}", r"choose\.l2: .*at most 4"),
        ("{choose: {l2: [1, 2], column_power: [0, 1]}}", r"choose: .*at most 1"),
        ("{use: approximate, choose: {uses: [pop, noise]}}", r"choose\.uses: 'uses' names another part of the config"),
        ("{use: weighted, choose: {weights: [{a: 1}, {a: 2}]}}", r"'weighted' generates no candidates"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(experiment, entry, message):
    with pytest.raises(ConfigError, match=message):
        load_experiment(experiment(("ease: {l2: 5}", f"ease: {entry}")), Registry())


def test_values_are_compared_with_the_early_stopping_of_the_component(experiment, eager):
    stopping = "{use: denoising-autoencoder, epochs: 12, batch: 16, patience: 2, choose: {hidden: [2, 6]}}"
    run = hybridrec.run(
        experiment(("noise: {use: echo}", f"noise: {stopping}"), LEARNED, ("workers: 2", "workers: 2\nrefit: none"))
    )
    assert chosen(run, "noise")["full"]["hidden"] in (2, 6)
    store = hybridrec.Store.default()
    stored = [store.about(artifact.key) for artifact in store.artifacts()]
    notes = [about["notes"] for about in stored if about.get("label") == "noise" and about.get("fold") == "test"]
    assert len(notes) == 4, "two values, and the chosen one on both levels"
    assert all("epochs ranked the validation queries best" in note for (note,) in notes)


def test_nothing_may_be_among_the_values(experiment, eager):
    run = hybridrec.run(
        experiment(("pop: {use: popularity}", "pop: {use: popularity, choose: {half_life: [null, 30]}}"))
    )
    assert any(note.startswith("pop, test: `half_life` is ") and "with None" in note for note in run.report.notes)
    again = hybridrec.run(run.folder / "config.yaml")
    assert again.report.config_hash == run.report.config_hash
    assert all(fit.cached for fit in again.report.fits)


def test_too_large_a_value_is_told_before_the_fits_that_choose(experiment, monkeypatch):
    factors = ("noise: {use: echo}", "noise: {use: als, choose: {factors: [4, 4000]}}")
    jobs = hybridrec.plan(experiment(factors)).jobs
    largest = {job.level: job.memory for job in jobs if job.label == "noise"}
    assert largest["full"] >= largest["choice"]
    memory = ("workers: 2", f"workers: 2\nmemory: {largest['full'] - 1}")
    monkeypatch.setattr(Fitter, "fit", lambda *args: pytest.fail("nothing is to be fitted"))
    for carry_out in (hybridrec.plan, hybridrec.run):
        with pytest.raises(MemoryBudgetError, match=r"components\.noise \(als\) would need"):
            carry_out(experiment(factors, memory))


def test_each_value_is_doubted(experiment):
    factors = ("noise: {use: echo}", "noise: {use: als, choose: {factors: [4, 4000]}}")
    (line,) = hybridrec.plan(experiment(factors)).warnings
    assert line.startswith("components.noise.factors: 4,000, and ")
