"""Accuracy metrics against hand-made cases, plain loops and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.evaluation.accuracy import ACCURACY_METRICS, Ndcg, NdcgOptions
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
    values = metric().values(eval_batch(ids, relevant, n=40), k)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert np.isnan(values).sum() == sum(not len(right) for right in relevant) > 0


def test_ndcg_equals_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    scores = rng.random((30, 25)).astype(np.float32)
    truth = (rng.random((30, 25)) < 0.2).astype(np.float32)
    truth[:, 0] = 1
    ids, _ = kernels.top_k(scores, 10)
    matrix = csr_matrix(truth)
    ours = CLASSES["ndcg"]().values(EvalBatch("items", ids, kernels.hits(ids, matrix), matrix, dataset([[0]], 25)), 10)
    expected = [sklearn.ndcg_score(truth[[q]], scores[[q]], k=10) for q in range(30)]
    np.testing.assert_allclose(ours, expected, atol=1e-9)


@pytest.mark.parametrize("metric", ACCURACY_METRICS, ids=lambda metric: metric.name)
def test_perfect_empty_and_no_slates(metric):
    k = 2
    np.testing.assert_equal(
        metric().values(eval_batch([[3, 4], [-1, -1], [1, 2]], [[3, 4], [1], []]), k), [1.0, 0.0, math.nan]
    )
    assert metric().values(eval_batch(np.empty((0, 3)), []), k).shape == (0,)
    np.testing.assert_array_equal(metric().values(eval_batch(np.empty((2, 0)), [[1], [2]]), k), [0.0, 0.0])


def graded(ids, gains, *, target="items", train=None):
    """Slates beside rows of gains: the gain of every id, NaN where it is not relevant; zeros are gains."""
    ids, gains = np.array(ids, np.int32), np.array(gains, np.float32)
    rows, columns = np.nonzero(~np.isnan(gains))
    stored = csr_matrix((gains[rows, columns], (rows, columns)), shape=gains.shape)
    truth = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=gains.shape)
    train = dataset([[0]], gains.shape[1]) if train is None else train
    return EvalBatch(target, ids, kernels.hits(ids, truth), truth, train, gains=stored)


NONE = math.nan
BATCH = graded(
    [[0, 1, 2, 3], [3, 2, -1, -1], [0, 1, 2, 3], [0, 1, 2, 3]],
    [[3, NONE, 2, 1, 5], [NONE, NONE, 4, 1, NONE], [NONE] * 5, [0, NONE, -2, NONE, NONE]],
)


def test_linear_gains_are_discounted_and_divided_by_the_best_slate_of_k():
    # query 0, k = 3: shown 3 at place 1 and 2 at place 3; best 5, 3, 2. Query 1: shown 1, 4; best 4, 1.
    log = math.log2
    wanted = [
        (3 + 2 / log(4)) / (5 + 3 / log(3) + 2 / log(4)),
        (1 + 4 / log(3)) / (4 + 1 / log(3)),
        math.nan,
        math.nan,
    ]
    np.testing.assert_allclose(Ndcg(NdcgOptions(gain="linear")).values(BATCH, 3), wanted)


def test_exponential_gains_are_two_to_the_weight_minus_one():
    log = math.log2
    wanted = [(7 + 3 / log(4)) / (31 + 7 / log(3) + 3 / log(4)), (1 + 15 / log(3)) / (15 + 1 / log(3))]
    np.testing.assert_allclose(Ndcg(NdcgOptions(gain="exponential")).values(BATCH, 3)[:2], wanted)


def test_binary_gains_do_not_see_weights():
    log = math.log2
    best = 1 + 1 / log(3) + 1 / log(4)
    np.testing.assert_allclose(
        Ndcg().values(BATCH, 3), [(1 + 1 / log(4)) / best, 1.0, math.nan, 1.5 / best * best / (1 + 1 / log(3))]
    )


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_without_weights_every_gain_is_one(gain):
    plain = EvalBatch("items", BATCH.ids, BATCH.hits, BATCH.truth, BATCH.train)
    np.testing.assert_array_equal(Ndcg(NdcgOptions(gain=gain)).values(plain, 3), Ndcg().values(plain, 3))


def test_the_best_slate_is_worth_one_and_places_below_k_do_not_count():
    best = graded([[4, 0, 2, 1]], [[3, NONE, 2, 1, 5]])
    assert Ndcg(NdcgOptions(gain="linear")).values(best, 3) == pytest.approx(1.0)
    assert Ndcg(NdcgOptions(gain="linear")).values(best, 10)[0] < 1.0
