"""`calibration` against the divergence that it keeps small."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import PADDING, Pool, Ragged
from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract
from hybridrec_rerank.calibration import Calibration, select
from tests.plugins.rerank_pools import DATA, QUERIES, N, Q, fitted, made


class TestCalibration(RerankerContract):
    reranker = Calibration
    configs = [{}, {"relevance": 0.1, "tags": 2}, {"prefix": "tag 0"}]


def divergence(wanted, slate):
    """KL(p || 0.99 q + 0.01 p) of Steck (2018)."""
    mix = 0.99 * slate + 0.01 * wanted
    is_wanted = wanted > 0
    return float((wanted[is_wanted] * np.log(wanted[is_wanted] / mix[is_wanted])).sum())


@pytest.mark.parametrize("trade", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("n", [1, 6, 30])
def test_calibration_is_the_formula(trade, n):
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(4, 0.3), (Q, 12)).astype(np.float32)
    wanted = rng.dirichlet(np.full(4, 0.3), Q).astype(np.float32)
    relevance = -np.sort(-rng.random((Q, 12)), axis=1).astype(np.float32)
    relevance[np.arange(12) >= rng.integers(0, 13, Q)[:, None]] = -np.inf
    places = select(relevance, shares, wanted, trade, n)
    for row in range(Q):
        order, left = [], [j for j in range(12) if relevance[row, j] > -np.inf]
        while left and len(order) < n:
            gains = [
                trade * relevance[row, j]
                - (1 - trade) * divergence(wanted[row], shares[row, [*order, j]].mean(axis=0).astype(float))
                for j in left
            ]
            order.append(left.pop(int(np.argmax(gains))))
        assert np.argsort(places[row])[: len(order)].tolist() == order


def test_a_slate_has_the_history_s_mix_and_one_without_tags_keeps_its_order():
    tags = np.zeros((N, 12), np.float32)
    tags[np.arange(N), np.arange(N) % 2] = 1  # item 0, 2, ... the first tag, the others the second
    tags[30:] = 0
    data = replace(DATA, item_has={"tags": csr_matrix(tags)}, assignments={})
    history = Ragged.from_rows([[0, 2, 4, 1], [], [31, 33]], N)
    queries = replace(QUERIES.take(slice(0, 3)), history=history)
    ids = np.tile(np.arange(5, 29, dtype=np.int32), (3, 1))
    final = np.where(ids % 2, 2.0, 1.0).astype(np.float32) - ids.astype(np.float32) / 100
    pool = Pool("items", ids, ("g",), np.ones(ids.shape, np.uint64), {"a": final}, final)
    slates = slate_of(fitted(Calibration, data, relevance=0.01).rerank(queries, pool, 8), 8).ids
    assert (slates[0] % 2 == 0).sum() == 6  # three quarters, as in the history
    np.testing.assert_array_equal(slates[1:], slate_of(pool, 8).ids[1:])


def test_only_relevance_changes_nothing():
    pool = made(3)
    ids = slate_of(fitted(Calibration, relevance=1).rerank(QUERIES, pool, 25), 25).ids
    np.testing.assert_array_equal(ids, slate_of(pool, 25).ids)
    assert (ids != PADDING).any()
