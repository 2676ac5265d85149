"""Metrics of coverage, novelty, diversity, tag mixes and exposure, by hand and against plain loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hybridrec.evaluation.beyond_accuracy import (
    CalibrationError,
    Coverage,
    Diversity,
    ExposureGini,
    Novelty,
    TagDiversity,
)
from hybridrec.evaluation.metrics import EvalBatch, parse_metric
from hybridrec.stages import kernels
from hybridrec.testing import toy_dataset, toy_queries
from tests.evaluation.batches import CLASSES, dataset, eval_batch, random_case

DATA = toy_dataset()
QUERIES = toy_queries(DATA)
Q, N = len(QUERIES), len(DATA.items)
TAGS = DATA.item_matrix("tags").toarray().astype(float)


def toy_batch(seed=1, width=8):
    rng = np.random.default_rng(seed)
    ids = rng.permuted(np.tile(np.arange(N, dtype=np.int32), (Q, 1)), axis=1)[:, :width]
    ids[np.arange(width) >= rng.integers(0, width + 1, Q)[:, None]] = -1
    truth = QUERIES.history.matrix(binary=True)
    return EvalBatch("items", ids, kernels.hits(ids, truth), truth, DATA, queries=QUERIES)


def test_tag_diversity_equals_all_pairs():
    lengths = np.linalg.norm(TAGS, axis=1)
    units = TAGS / np.where(lengths > 0, lengths, 1)[:, None]
    case = toy_batch()
    for row, diversity in zip(case.ids[:, :5], TagDiversity().values(case, 5), strict=True):
        row = row[row >= 0]
        pairs = [1 - units[a] @ units[b] for n, a in enumerate(row) for b in row[:n]]
        assert diversity == pytest.approx(np.mean(pairs) if pairs else math.nan, nan_ok=True)


def test_calibration_error_is_the_divergence_of_the_mixes():
    sums = TAGS.sum(axis=1)
    shares = TAGS / np.where(sums > 0, sums, 1)[:, None]
    history = QUERIES.history.matrix().toarray()
    case = toy_batch()
    values = CalibrationError().values(case, 5)
    assert (~np.isnan(values)).sum() > 3
    for row in range(Q):
        wanted, slate = history[row] @ shares, case.ids[row, :5][case.ids[row, :5] >= 0]
        if not wanted.sum() or not len(slate):
            assert math.isnan(values[row])
            continue
        p, q = wanted / wanted.sum(), shares[slate].mean(axis=0)
        is_had = p > 0
        expected = (p[is_had] * np.log(p[is_had] / (0.99 * q + 0.01 * p)[is_had])).sum()
        assert values[row] == pytest.approx(expected)


def test_a_slate_of_the_history_is_calibrated():
    case = toy_batch()
    rows = np.flatnonzero((QUERIES.history.lengths == 2) & ~np.isnan(CalibrationError().values(case, 5)))
    assert len(rows)
    ids = np.array([QUERIES.history.ids[slice(*QUERIES.history.offsets[row : row + 2])] for row in rows], np.int32)
    queries = QUERIES.take(rows)
    asked = replace(case, ids=ids, hits=ids >= 0, truth=case.truth[rows], queries=queries)
    assert CalibrationError().values(asked, 2) == pytest.approx(np.zeros(len(rows)), abs=0.05)


def test_what_is_not_defined_is_nan():
    case = toy_batch()
    assert np.isnan(CalibrationError().values(replace(case, queries=None), 5)).all()
    tags = replace(case, target="tags")
    assert np.isnan(CalibrationError().values(tags, 5)).all()
    assert np.isnan(TagDiversity().values(tags, 5)).all()


def test_gini_of_exposure():
    gini, case = ExposureGini(), toy_batch()
    everything = np.arange(N, dtype=np.int32)[:, None]
    even = replace(case, ids=everything, hits=everything >= 0)
    assert gini.value([even], 1) == pytest.approx(0)
    first_only = replace(case, ids=np.zeros((9, 1), np.int32), hits=np.zeros((9, 1), bool))
    assert gini.value([first_only], 1) == pytest.approx(1 - 1 / N)
    exposure = np.zeros(N)
    for row in case.ids:
        for place, item in enumerate(row):
            if item >= 0:
                exposure[item] += 1 / np.log2(place + 2)
    pairs = np.abs(exposure[:, None] - exposure[None, :]).sum() / (2 * N * exposure.sum())
    assert gini.value([case], 8) == pytest.approx(pairs)
    parts = [replace(case, ids=case.ids[rows]) for rows in (slice(0, 5), slice(5, Q))]
    assert gini.value(parts, 8) == pytest.approx(pairs)
    candidate_items = np.arange(N) < 10
    assert gini.value([replace(first_only, candidate_items=candidate_items)], 1) == pytest.approx(0.9)
    assert math.isnan(gini.value([replace(first_only, ids=first_only.ids - 1)], 1))


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
