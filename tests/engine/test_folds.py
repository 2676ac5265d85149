"""The folds of an experiment: the output of splitters is checked, validation stays in the training part."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import DataError, PluginError, Tables, assemble
from hybridrec.api import plan
from hybridrec.config.load import load_experiment
from hybridrec.data.splits import Masked
from hybridrec.engine.folds import folds_of, validation_fold
from hybridrec.engine.runner import read
from hybridrec.registry.discovery import Registry
from hybridrec.runs.compare import compare_runs


@pytest.mark.parametrize(
    ("split", "message", "note"),
    [
        (lambda fold: iter([fold]), None, None),
        (lambda fold: fold, "not one Fold", "while splitting the data"),
        (lambda fold: [], "split yielded no fold", "while splitting the data"),
        (
            lambda fold: [replace(fold, weights=fold.weights[1:])],
            "fold 'test': weights must have the shape",
            "in fold test, splitter 'masked'",
        ),
        (
            lambda fold: [replace(fold, queries=replace(fold.queries, history=fold.train.interactions))],
            "fold 'test': history of the queries has 60 rows",
            "in fold test, splitter 'masked'",
        ),
    ],
)
def test_a_splitter_that_breaks_its_contract_is_named(experiment, monkeypatch, split, message, note):
    path, sound = experiment(), Masked.split
    monkeypatch.setattr(Masked, "split", lambda self, data, rng: split(next(sound(self, data, rng))))
    if message is None:
        assert hybridrec.run(path).report
        return
    for command in (hybridrec.run, plan):
        with pytest.raises(PluginError, match=message) as info:
            command(path)
        assert info.value.__notes__ == [f"{note}: masked 1, part of hybridrec"]


def test_an_inner_fold_that_leaks_is_refused_too(experiment, monkeypatch):
    path, sound = experiment(), Masked.validation_split

    def leaks(self, train, rng):
        fold = sound(self, train, rng)
        return replace(fold, train=train)

    monkeypatch.setattr(Masked, "validation_split", leaks)
    with pytest.raises(PluginError, match=r"asks for item \d+, which is in its user's training history"):
        hybridrec.run(path, validation=True)


def test_where_the_seen_may_be_recommended_it_may_be_asked_for(experiment, monkeypatch):
    sound = Masked.split

    def again(self, data, rng):
        for fold in sound(self, data, rng):
            shown = fold.queries.history.matrix(binary=True)
            yield replace(fold, truth=fold.truth | {"items": shown}, gains={})

    monkeypatch.setattr(Masked, "split", again)
    with pytest.raises(PluginError, match="in its history"):
        hybridrec.run(experiment())
    both = ("  hybrid:", "  hybrid:\n    seen: allow"), ("{from: pop, k: 20}], ", "{from: pop, k: 20}], seen: allow, ")
    allowed = experiment(*both)
    assert hybridrec.run(allowed).report.pipelines["hybrid"].segments["all"].metrics["ndcg@5"].mean > 0


def test_validation_measures_inside_the_training_part(experiment):
    path = experiment()
    test, inside = hybridrec.run(path), hybridrec.run(path, validation=True)
    assert set(inside.per_query()["unit"]) & set(test.per_query()["unit"]) == set()
    assert "measured on validation queries" in inside.report.notes[0]
    with pytest.raises(DataError, match="it was not asked the same queries"):
        compare_runs([test.folder, inside.folder])


def test_folds_are_fitted_each_and_measured_together(experiment):
    run = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    assert len({fit.fold for fit in run.report.fits}) == 3
    assert len({fit.key for fit in run.report.fits}) == 15
    asked = run.per_query().filter(pl.col("pipeline") == "hybrid")["unit"]
    assert run.report.pipelines["hybrid"].units == asked.n_unique() == len(asked) > 50


def test_a_fold_without_queries_is_refused(experiment, monkeypatch):
    sound = Masked.split

    def nobody(self, data, rng):
        for fold in sound(self, data, rng):
            empty = {target: truth[:0] for target, truth in fold.truth.items()}
            yield replace(
                fold,
                queries=fold.queries.take(slice(0, 0)),
                truth=empty,
                units=fold.units[:0],
                weights=fold.weights[:0],
                gains={},
            )

    checked = load_experiment(experiment(), Registry())
    monkeypatch.setattr(Masked, "split", nobody)
    with pytest.raises(DataError, match="fold test has no queries: the split holds nothing out"):
        next(folds_of(checked, read(checked)))


def test_validation_folds_keep_the_name_and_differ_by_their_purpose(experiment):
    checked = load_experiment(experiment(), Registry())
    data = read(checked)
    (fold,) = folds_of(checked, data)
    (validation,) = folds_of(replace(checked, validation=True), data)
    assert validation.name == fold.name
    assert validation.train.interactions.ids.size < fold.train.interactions.ids.size
    cuts = [validation_fold(checked, fold, purpose) for purpose in ("a", "b", "a")]
    first, other, again = (cut.units.tolist() for cut in cuts)
    assert first == again != other


ALLOWED = [f"item {number:02}" for number in range(12)]


def test_the_truth_is_cut_to_what_a_filter_of_all_pipelines_allows(experiment):
    def fold_of(*replacements):
        loaded = load_experiment(experiment(*replacements), Registry())
        return next(folds_of(loaded, read(loaded)))

    shared = fold_of(("targets:", f"filters: [{{use: allow, ids: [{', '.join(ALLOWED)}]}}]\ntargets:"))
    everything = fold_of()
    assert shared.truth["items"].getnnz(axis=0)[12:].sum() == 0 < everything.truth["items"].getnnz(axis=0)[12:].sum()
    kept = np.isin(everything.units, shared.units)
    cut = everything.truth["items"][np.flatnonzero(kept)].toarray()
    cut[:, 12:] = 0
    assert np.array_equal(shared.truth["items"].toarray(), cut)
    assert (shared.gains["items"].indices == shared.truth["items"].indices).all()
    wanted = shared.truth["items"].getnnz(axis=1) + shared.truth["tags"].getnnz(axis=1)
    assert wanted.min() > 0
    assert len(shared.queries) == len(shared.weights) == len(wanted) <= len(everything.queries)


def test_a_filter_of_one_pipeline_leaves_the_truth(experiment):
    path = experiment(("  hybrid:\n", f"  hybrid:\n    allow: {{ids: [{', '.join(ALLOWED)}]}}\n"))
    loaded = load_experiment(path, Registry())
    assert next(folds_of(loaded, read(loaded))).truth["items"].getnnz(axis=0)[12:].sum() > 0


def test_filters_that_leave_nothing_to_find_are_named(experiment):
    nothing = "filters: [{use: allow, ids: []}, {use: allow, target: tags, ids: []}]"
    loaded = load_experiment(experiment(("targets:", f"{nothing}\ntargets:")), Registry())
    with pytest.raises(DataError, match=r"filters.0., filters.1. allow nothing of what the \d+ queries ask for"):
        next(folds_of(loaded, read(loaded)))


def events(rows):
    """A dataset of rows (user, item, time, weight, asked for)."""
    frame = pl.DataFrame(
        rows, schema=["user", "item", "time", "weight", "target"], orient="row", infer_schema_length=None
    )
    return assemble(Tables(interactions=frame.cast({"weight": pl.Float32, "time": pl.Float64})))


ROWS = [
    (f"u{user}", f"i{(user * 5 + n * 3) % 17:02}", float(10 * n + user % 3), 1.0 if n % 4 else 5.0, n % 4 == 0)
    for user in range(20)
    for n in range(9)
]
DISLIKED = [
    (f"u{user}", f"i{(user + n * 7) % 17:02}", float(10 * n + 1), -1.0, True) for user in range(20) for n in range(9)
]
SPLITS = {
    "temporal": {"use": "temporal", "test": 0.3},
    "random": {"use": "random", "test": 0.3},
    "masked": {"use": "masked", "scenarios": {"items": 1}},
    "leave-one-out": {"use": "leave-one-out"},
    "cold-items": {"use": "cold-items"},
}


@pytest.fixture
def fold(experiment):
    """The fold of a dataset by one of SPLITS, or by other options."""

    def split(data, how):
        options = json.dumps(how if isinstance(how, dict) else SPLITS[how])
        checked = load_experiment(experiment(), Registry(), (f"split={options}",))
        (fold,) = folds_of(checked, data)
        return fold

    return split


@pytest.mark.parametrize("name", SPLITS)
def test_only_events_of_asked_kinds_are_asked_for(fold, name):
    data = events(ROWS)
    made = fold(data, name)
    truth = made.truth["items"]
    assert truth.nnz
    wanted = {(user, item) for user, item, _, _, asked in ROWS if asked}
    users, items = data.users.vocabulary.ids, data.items.vocabulary.ids
    asked = {(users[int(made.units[row])], items[int(item)]) for row, item in zip(*truth.nonzero(), strict=True)}
    assert asked <= wanted
    assert (truth.getnnz(axis=1) > 0).all()
    assert set(made.gains["items"].data) == {5.0}
    shown = made.train if name != "masked" else made.queries
    history = shown.interactions if name != "masked" else shown.history
    assert set(history.weights) == {1.0, 5.0}  # the other kinds inform


@pytest.mark.parametrize("name", SPLITS)
def test_dislikes_are_hidden_as_interactions_are(fold, name):
    data = events(ROWS + DISLIKED)
    made = fold(data, name)
    total = len(data.dislikes.ids)
    trained, shown = made.train.dislikes, made.queries.disliked
    assert 0 < len(shown.ids) < total
    assert len(trained.ids) < total
    if name == "temporal":
        cut = made.queries.times.min()
        assert max(trained.times.max(), shown.times.max()) < cut
        assert len(trained.ids) == (data.dislikes.times < cut).sum()
    if name == "masked":
        assert not trained.lengths[made.units].any()
    if name == "cold-items":
        cold = set(made.truth["items"].indices)
        assert cold & set(data.dislikes.ids)
        assert not cold & {*trained.ids, *shown.ids}
    again = fold(data, name)
    assert (again.queries.disliked.ids == shown.ids).all()


def test_a_query_without_items_shows_no_dislikes(fold):
    titles = pl.DataFrame({"id": [f"u{user}" for user in range(20)], "text": "a title"})
    frame = pl.DataFrame(ROWS + DISLIKED, schema=["user", "item", "time", "weight", "target"], orient="row")
    frame = frame.cast({"weight": pl.Float32, "time": pl.Float64})
    data = assemble(Tables(interactions=frame, entities={"users": titles}))
    made = fold(data, {"use": "masked", "scenarios": {"items": 1, "title": 1}})
    bare = made.queries.history.lengths == 0
    assert bare.any()
    assert not made.queries.disliked.lengths[bare].any()
    assert made.queries.disliked.lengths[~bare].any()


def test_nothing_asked_for_is_an_error(fold):
    late = [(user, item, time, weight, time < 40) for user, item, time, weight, _ in ROWS]
    with pytest.raises(DataError, match="none of the hidden interactions is of an asked kind"):
        fold(events(late), "temporal")
