"""Accuracy metrics against hand-made cases, plain loops and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.evaluation.accuracy import ACCURACY_METRICS
from hybridrec.evaluation.metrics import EvalBatch
from hybridrec.stages import kernels
from tests.evaluation.batches import CLASSES, dataset, eval_batch, random_case, value


def reference(name, slate, relevant, k):
    """One query, straight from the definition."""
    if not len(relevant):
        return math.nan
    hits = [n for n, item in enumerate(slate[:k], 1) if item in relevant]
    best = min(k, len(relevant))
    return {
        "ndcg": sum(1 / math.log2(n + 1) for n in hits) / sum(1 / math.log2(n + 1) for n in range(1, best + 1)),
        "recall": len(hits) / len(relevant),
        "precision": len(hits) / k,
        "map": sum(place / n for place, n in enumerate(hits, 1)) / best,
        "mrr": 1 / hits[0] if hits else 0.0,
        "hit-rate": float(bool(hits)),
        "r-precision": len([n for n in hits if n <= len(relevant)]) / len(relevant),
    }[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # hits at ranks 2 and 4 of 4, three relevant
        ("ndcg@4", (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2)),
        ("ndcg@2", (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        ("recall@4", 2 / 3),
        ("precision@4", 2 / 4),
        ("map@4", (1 / 2 + 2 / 4) / 3),
        ("map@2", (1 / 2) / 2),
        ("mrr@4", 1 / 2),
        ("mrr@1", 0.0),
        ("hit-rate@1", 0.0),
        ("hit-rate@2", 1.0),
        ("r-precision", 1 / 3),
    ],
)
def test_by_hand(name, expected):
    assert value(name, [[5, 1, 6, 2]], [[1, 2, 3]]) == pytest.approx([expected])


@pytest.mark.parametrize("k", [1, 3, 15, 100])
@pytest.mark.parametrize("metric", ACCURACY_METRICS, ids=lambda metric: metric.name)
def test_accuracy_equals_the_definition(metric, k):
    ids, relevant = random_case(3)
    k = k if metric.cut_off else ids.shape[1]
    expected = [
        reference(metric.name, [i for i in row if i >= 0], set(right), k)
        for row, right in zip(ids.tolist(), relevant, strict=True)
    ]
    found = metric().values(eval_batch(ids, relevant, n=40), k)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(found).sum() == sum(not len(right) for right in relevant) > 0


def test_ndcg_equals_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    scores = rng.random((30, 25)).astype(np.float32)
    truth = (rng.random((30, 25)) < 0.2).astype(np.float32)
    truth[:, 0] = 1
    ids, _ = kernels.top_k(scores, 10)
    matrix = csr_matrix(truth)
    found = CLASSES["ndcg"]().values(EvalBatch("items", ids, kernels.hits(ids, matrix), matrix, dataset([[0]], 25)), 10)
    expected = [sklearn.ndcg_score(truth[[q]], scores[[q]], k=10) for q in range(30)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("metric", ACCURACY_METRICS, ids=lambda metric: metric.name)
def test_perfect_empty_and_no_slates(metric):
    k = 2
    np.testing.assert_equal(
        metric().values(eval_batch([[3, 4], [-1, -1], [1, 2]], [[3, 4], [1], []]), k), [1.0, 0.0, math.nan]
    )
    assert metric().values(eval_batch(np.empty((0, 3)), []), k).shape == (0,)
    np.testing.assert_array_equal(metric().values(eval_batch(np.empty((2, 0)), [[1], [2]]), k), [0.0, 0.0])
