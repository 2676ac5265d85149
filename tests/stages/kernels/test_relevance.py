"""Hits, one by one, and nDCG, against the metric of that name."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.evaluation.accuracy import Ndcg
from hybridrec.stages import kernels
from hybridrec.stages.kernels import relevance as judging
from tests.stages.kernels.naive import INF, rounded


@pytest.mark.parametrize("flags", [1, 100, 1 << 22])
def test_hits_are_the_ids_in_the_truth(flags, monkeypatch):
    monkeypatch.setattr(judging, "_FLAGGED", flags)
    rng = np.random.default_rng(0)
    dense = rng.random((12, 30)) < 0.2
    dense[3] = False
    truth = csr_matrix(dense, dtype=np.float32)
    ids = rng.integers(-1, 30, (12, 9)).astype(np.int32)
    given = kernels.hits(ids, truth)
    assert given.dtype == bool
    assert given.tolist() == [[bool(i >= 0 and dense[q, i]) for i in row] for q, row in enumerate(ids)]
    assert not kernels.hits(np.array([[0], [-1]], np.int32), csr_matrix([[0, 1.0], [0, 0]])).any()
    assert kernels.hits(ids[:, :0], truth).shape == (12, 0)
    assert not kernels.hits(ids, csr_matrix((12, 30), dtype=np.float32)).any()


@pytest.mark.parametrize("k", [1, 5, 40, 100])
def test_ndcg_is_the_metric_of_the_slate(k):
    scores = rounded(5, 40, 60, decimals=0)
    rng = np.random.default_rng(1)
    relevant = rng.random(scores.shape) < 0.1
    relevant[:, :3] |= rng.random((40, 3)) < 0.5  # ties at the k-th place matter
    relevant &= scores > -INF
    wanted = relevant.sum(axis=1) + rng.integers(0, 3, 40)
    ids = kernels.top_k(scores, k)[0]
    hits = np.take_along_axis(relevant, np.maximum(ids, 0), axis=1) & (ids >= 0)
    slate = Ndcg().of(hits, np.maximum(wanted, 1), k)
    np.testing.assert_allclose(kernels.ndcg(scores, relevant, wanted, k), np.where(wanted > 0, slate, 0), rtol=1e-12)


def test_ndcg_without_candidates_or_queries():
    assert kernels.ndcg(np.empty((2, 0), np.float32), np.empty((2, 0), bool), np.array([0, 3]), 5).tolist() == [0, 0]
    assert kernels.ndcg(np.empty((0, 4), np.float32), np.empty((0, 4), bool), np.empty(0, int), 5).shape == (0,)
