"""Metric names, accuracy metrics against hand-made cases, plain loops and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import ConfigError
from hybridrec.evaluation.accuracy import ACCURACY_METRICS
from hybridrec.evaluation.beyond_accuracy import BEYOND_METRICS, Coverage, Diversity, Novelty
from hybridrec.evaluation.metrics import EvalBatch, parse_metric
from hybridrec.stages import kernels

CLASSES = {metric.name: metric for metric in (*ACCURACY_METRICS, *BEYOND_METRICS)}


def dataset(histories, n_items, user_tags=None):
    n_tags = 0 if user_tags is None else len(user_tags[0])
    return Dataset(
        users=Vocabulary([f"u{n:04}" for n in range(len(histories))]),
        items=Vocabulary([f"i{n:04}" for n in range(n_items)]),
        tags=Vocabulary([f"t{n:04}" for n in range(n_tags)]),
        interactions=Ragged.from_rows(histories, n_items),
        titles=("",) * len(histories),
        item_text=("",) * n_items,
        declared_user_tags=empty_csr(len(histories), 0)
        if user_tags is None
        else csr_matrix(np.array(user_tags, np.float32)),
        declared_item_tags=empty_csr(n_items, n_tags),
        assignments=np.empty((0, 3), np.int32),
    )


def eval_batch(ids, relevant, n=10, train=None, target="items", candidate_items=None):
    """Slates (rows of ids, -1 padded) beside rows of relevant ids."""
    ids = np.array(ids, np.int32)
    truth = Ragged.from_rows(relevant, n).matrix(binary=True)
    train = dataset([[0]], n) if train is None else train
    return EvalBatch(target, ids, kernels.hits(ids, truth), truth, train, candidate_items)


def value(name, *args, **kwargs):
    measure = parse_metric(name, CLASSES)
    return measure.values(eval_batch(*args, **kwargs)).tolist()


def random_case(seed, queries=60, n=40, width=15):
    rng = np.random.default_rng(seed)
    ids = rng.permuted(np.tile(np.arange(n, dtype=np.int32), (queries, 1)), axis=1)[:, :width]
    ids[np.arange(width) >= rng.integers(0, width + 1, queries)[:, None]] = -1
    relevant = [rng.choice(n, rng.integers(0, 12), replace=False) for _ in range(queries)]
    return ids, relevant


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


def test_measure_from_text():
    measure = parse_metric(" ndcg@20 ", CLASSES)
    metric, k = measure.metric, measure.k
    assert (metric.name, k, measure.name) == ("ndcg", 20, "ndcg@20")
    assert measure.key("items") == "ndcg@20"
    assert measure.key("tags") == "tags/ndcg@20"
    assert parse_metric("r-precision", CLASSES).name == "r-precision"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ndgc@20", "did you mean 'ndcg'"),
        ("ndcg", "the cut-off is missing; write 'ndcg@10'"),
        ("ndcg@", "'' is not a whole number"),
        ("ndcg@0", "'0' is not a whole number"),
        ("ndcg@-3", "'-3' is not"),
        ("ndcg@1.5", "'1.5' is not"),
        ("ndcg@٣", "is not a whole number"),
        ("r-precision@5", "takes no cut-off; write 'r-precision'"),
        ("", "unknown metric ''"),
    ],
)
def test_bad_measures_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_metric(text, CLASSES)


def test_coverage_counts_over_all_folds():
    folds = [eval_batch([[0, 1, 9], [1, 0, -1]], [[], []]), eval_batch([[2, 1, 9]], [[]])]
    measure = parse_metric("coverage@2", CLASSES)
    assert measure.value(folds) == pytest.approx(3 / 10)
    assert measure.value([]) != measure.value([])
    np.testing.assert_allclose(measure.values(folds[0]), [0.2, 0.2])


def test_coverage_is_a_share_of_what_may_be_recommended():
    candidate_items = np.zeros(10, bool)
    candidate_items[:4] = True
    assert Coverage().value([eval_batch([[0, 1, 9]], [[]], candidate_items=candidate_items)], 3) == 0.5
    assert (
        Coverage().value([eval_batch([[0, 1]], [[]], candidate_items=candidate_items), eval_batch([[9, 1]], [[]])], 2)
        == 0.3
    )


def test_only_set_metrics_have_a_value():
    with pytest.raises(TypeError, match="ndcg@5"):
        parse_metric("ndcg@5", CLASSES).value([])


def test_novelty_by_hand():
    # four active users and a silent one; item 0 known to all, 1 (twice by one user) to one, 2 to none
    train = dataset([[0, 1, 1], [0], [0], [0], []], 3)
    case = eval_batch([[0, 1], [2, -1], [-1, -1]], [[0], [], []], n=3, train=train)
    expected = [(0 - math.log2(2 / 5)) / 2, -math.log2(1 / 5), math.nan]
    np.testing.assert_allclose(Novelty().values(case, 2), expected)


def test_novelty_of_tags_reads_user_tags():
    train = dataset([[0], [0]], 1, user_tags=[[2, 1], [1, 0]])
    case = eval_batch([[0], [1]], [[], []], n=2, train=train, target="tags")
    np.testing.assert_allclose(Novelty().values(case, 1), [0, -math.log2(2 / 3)])


def test_diversity_equals_all_pairs(monkeypatch):
    rng = np.random.default_rng(2)
    matrix = (rng.random((30, 40)) < 0.15).astype(float)
    matrix[:, 7] = 0
    train = dataset([np.flatnonzero(row) for row in matrix], 40)
    ids, relevant = random_case(2)
    length = np.linalg.norm(matrix, axis=0)
    vectors = np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)
    cosine = vectors.T @ vectors
    expected = []
    for row in ids[:, :8]:
        row = row[row >= 0]
        pairs = [1 - cosine[a, b] for n, a in enumerate(row) for b in row[:n]]
        expected.append(np.mean(pairs) if pairs else math.nan)
    case = eval_batch(ids, relevant, n=40, train=train)
    np.testing.assert_allclose(Diversity().values(case, 8), expected, atol=1e-9)
    monkeypatch.setattr("hybridrec.evaluation.beyond_accuracy._BLOCK_ENTRIES", 50)
    np.testing.assert_allclose(Diversity().values(case, 8), expected, atol=1e-9)


def test_beyond_metrics_take_empty_batches():
    case = eval_batch(np.empty((0, 5)), [])
    assert Novelty().values(case, 5).shape == Diversity().values(case, 5).shape == (0,)
