"""`dpp` against determinants."""

import numpy as np
import pytest

from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract
from hybridrec_rerank.dpp import DPP, SMALLEST, select
from tests.plugins.rerank_pools import QUERIES, Q, fitted, made


class TestDPP(RerankerContract):
    reranker = DPP
    configs = [{}, {"alike": "tags", "relevance": 0.3}, {"uses": "als"}]


def by_hand(relevance, vectors, trade, n):
    """The gain in theta sum(r) + (1 - theta) log det(S), one query and one place at a time."""
    order = []
    left = [j for j in range(len(relevance)) if relevance[j] > -np.inf]
    while left and len(order) < n:

        def gain(j):
            chosen = vectors[[*order, j]].astype(float)
            before = vectors[order].astype(float)
            room = np.linalg.det(chosen @ chosen.T) / max(np.linalg.det(before @ before.T), 1e-30)
            return trade * relevance[j] + (1 - trade) * np.log(max(room, SMALLEST))

        order.append(left.pop(int(np.argmax([round(gain(j), 5) for j in left]))))
    return order


@pytest.mark.parametrize("trade", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("n", [1, 5])
def test_dpp_is_the_determinant(trade, n):
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((Q, 12, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)
    relevance = -np.sort(-rng.random((Q, 12)), axis=1).astype(np.float32)
    relevance[np.arange(12) >= rng.integers(0, 13, Q)[:, None]] = -np.inf
    places = select(relevance, vectors, trade, n)
    for row in range(Q):
        wanted = by_hand(relevance[row], vectors[row], trade, n)
        assert np.argsort(places[row])[: len(wanted)].tolist() == wanted
        assert (np.diff(places[row][places[row] >= n]) > 0).all()  # the others keep their order


def test_where_no_room_is_left_relevance_decides():
    vectors = np.eye(2, dtype=np.float32)[np.array([[0, 0, 1, 0, 1]])]
    relevance = np.array([[1, 0.9, 0.2, 0.1, 0]], np.float32)
    assert np.argsort(select(relevance, vectors, 0.1, 5)[0]).tolist() == [0, 2, 1, 3, 4]


def test_the_vectors_of_a_component_decide_what_is_alike():
    pool = made(2)
    alike = np.ones((40, 3), np.float32)
    np.testing.assert_array_equal(
        slate_of(fitted(DPP, vectors=alike, uses="als", relevance=0.5).rerank(QUERIES, pool, 5), 5).ids[:, 0],
        slate_of(pool, 5).ids[:, 0],
    )
    other = np.random.default_rng(1).standard_normal((40, 3)).astype(np.float32)
    chains = [fitted(DPP, vectors=vectors, uses="als", relevance=0.2) for vectors in (alike, other)]
    slates = [slate_of(chain.rerank(QUERIES, pool, 5), 5).ids for chain in chains]
    assert (slates[0] != slates[1]).any()
