"""Validation splits: nDCG as metrics compute it, the best step, and no stale vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DenseModel, EvalBatch, Exclude, Fold, ValidationSplit, VectorModel, kernels
from hybridrec.data.splits import Masked
from hybridrec.evaluation.accuracy import Ndcg
from hybridrec.stages import validation_split
from hybridrec.testing import toy_dataset
from tests.stages.builders import Stateless

DATA = toy_dataset()


def split(weights=None, **truth):
    fold = Masked(Masked.Config(test=0.5)).validation_split(DATA, np.random.default_rng(0))
    fold = replace(fold, truth=fold.truth | truth, gains={})
    if weights is not None:
        fold = replace(fold, weights=weights(len(fold.queries)))
    exclude = {target: Exclude(rows=fold.queries.matrix(target)) for target in fold.truth}
    return ValidationSplit(fold, exclude)


class Told(Stateless, DenseModel):
    """Scores as it is told, the same for all queries; remembers what it reported."""

    name = "told"
    targets = ("items",)

    def __init__(self):
        super().__init__()
        self.given, self.reports = np.arange(40, dtype=np.float32), []
        self._reporter = lambda step, of, numbers: self.reports.append((step, of, dict(numbers)))

    def scores(self, queries, target):
        return np.tile(self.given, (len(queries), 1))


class Vectors(Stateless, VectorModel):
    """Vectors that are overwritten while it learns."""

    name = "vectors"
    targets = ("items",)

    def __init__(self):
        super().__init__()
        self.items = np.ones((40, 1), np.float32)

    def query_vectors(self, queries, target):
        return np.ones((len(queries), 1), np.float32)

    def vectors(self, target):
        return self.items


def wanted_ndcg(cut, generator, k):
    fold = cut.fold
    ids = generator.candidates(fold.queries, k, "items", cut.exclude["items"]).ids
    batch = EvalBatch(
        target="items",
        ids=ids,
        hits=kernels.hits(ids, fold.truth["items"]),
        truth=fold.truth["items"],
        train=fold.train,
        candidate_items=None,
        queries=fold.queries,
    )
    values = Ndcg().values(batch, k)
    asked = ~np.isnan(values)
    return np.average(values[asked], weights=fold.weights[asked])


@pytest.mark.parametrize("block", [3, 2048])
def test_the_ndcg_is_that_of_the_metric_in_any_blocks(monkeypatch, block):
    monkeypatch.setattr(validation_split, "_BLOCK", block)
    cut, model = split(weights=lambda n: np.linspace(1, 2, n)), Told()
    for k in (1, 5, 20):
        assert cut.ndcg(model, k) == pytest.approx(wanted_ndcg(cut, model, k))
    assert cut.train is cut.fold.train


def test_only_queries_that_ask_for_the_target_count_and_it_is_the_first_asked_for():
    cut = split()
    rows = len(cut.fold.queries)
    truth = cut.fold.truth["items"].multiply((np.arange(rows) % 2 == 0)[:, None]).tocsr()
    truth.eliminate_zeros()
    half, model = split(items=truth), Told()
    assert half.ndcg(model, 5) == pytest.approx(wanted_ndcg(half, model, 5))
    nothing = csr_matrix((rows, 40), dtype=np.float32)
    assert (cut.target(model), split(items=nothing).target(model)) == ("items", None)
    model.targets = ("items", "tags")
    assert split(items=nothing).target(model) == "tags"


def test_vectors_that_were_overwritten_are_ranked_as_they_are():
    cut, model = split(), Vectors()
    for seed in range(3):
        model.items[:, 0] = np.random.default_rng(seed).random(40)
        fresh = Vectors()
        fresh.items = model.items.copy()
        assert cut.ndcg(model, 5) == wanted_ndcg(cut, fresh, 5)


def steps(model, good):
    """Teach the model to rank what queries ask for at the steps `good`, and something else at the others."""
    truth = split().fold.truth["items"].getnnz(axis=0).astype(np.float32)
    for step in range(1, 100):
        model.given = truth * (1 if step in good else -1)
        yield


@pytest.mark.parametrize(
    ("good", "patience", "best", "taken"), [({3}, 2, 3, 5), ({1, 3}, 2, 1, 3), ({4}, 2, 1, 3), ({4}, 3, 4, 7)]
)
def test_steps_end_when_patience_does_and_the_first_best_one_is_it(good, patience, best, taken):
    model = Told()
    assert split().best_step(model, steps(model, good), 99, patience, k=5) == best
    assert [(step, of) for step, of, _ in model.reports] == [(step, 99) for step in range(1, taken + 1)]
    values = [numbers["validation_ndcg@5"] for _, _, numbers in model.reports]
    assert values[best - 1] == max(values) > min(values) or best == 1


def test_without_steps_or_queries_all_are_taken():
    model = Told()
    cut = split()
    assert cut.best_step(model, [], 7, 2) == 7
    empty = {target: truth[:0] for target, truth in cut.fold.truth.items()}
    nobody = Fold("none", DATA, cut.fold.queries.take(slice(0, 0)), empty, cut.fold.units[:0], cut.fold.weights[:0])
    none = ValidationSplit(nobody, {target: Exclude() for target in empty})
    assert none.best_step(model, steps(model, {1}), 7, 2) == 7
    assert np.isnan(none.ndcg(model))
    assert model.reports == []
