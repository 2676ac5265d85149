"""`exposure` against plain loops, and what it gives to a group at the end of every slate."""

import numpy as np
import pytest

from hybridrec import PADDING
from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract
from hybridrec_rerank.exposure import Exposure, select
from tests.plugins.rerank_pools import QUERIES, Q, fitted, made


class TestExposure(RerankerContract):
    reranker = Exposure
    configs = [{}, {"relevance": 0, "prefix": "tag 0"}]


def by_hand(relevance, groups, trade, n):
    """The definition, one place at a time; groups: a list for each candidate."""
    left = [j for j in range(len(relevance)) if relevance[j] > -np.inf]
    names = {group for j in left for group in groups[j]}
    members = sum(1 for j in left if groups[j])
    wanted = {g: sum(1 / len(groups[j]) for j in left if g in groups[j]) / max(members, 1) for g in names}
    given = dict.fromkeys(names, 0.0)
    order = []
    while left and len(order) < n:
        total = max(sum(given.values()), 1)

        def gain(j, total=total):
            lacking = [wanted[g] - given[g] / total for g in groups[j]]
            return trade * relevance[j] + (1 - trade) * (float(np.mean(lacking)) if lacking else 0)

        chosen = left.pop(int(np.argmax([round(gain(j), 6) for j in left])))
        for g in groups[chosen]:
            given[g] += 1 / len(groups[chosen]) / np.log2(len(order) + 2)
        order.append(chosen)
    return order


@pytest.mark.parametrize("trade", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 6, 30])
def test_exposure_is_the_definition(trade, n):
    rng = np.random.default_rng(6)
    groups = np.sort(np.argsort(rng.random((Q, 15, 6)), axis=2)[:, :, :2], axis=2).astype(np.int32)
    groups[rng.random((Q, 15)) < 0.3, 1] = PADDING
    groups[rng.random((Q, 15)) < 0.1] = PADDING
    relevance = -np.sort(-rng.random((Q, 15)), axis=1).astype(np.float32)
    relevance[np.arange(15) >= rng.integers(0, 16, Q)[:, None]] = -np.inf
    places = select(relevance, groups, trade, n)
    for row in range(Q):
        named = [[int(g) for g in mine if g != PADDING] for mine in groups[row]]
        wanted = by_hand(relevance[row], named, trade, n)
        assert np.argsort(places[row])[: len(wanted)].tolist() == wanted


def test_a_group_that_stands_last_is_seen_in_proportion():
    relevance = np.linspace(1, 0, 40, dtype=np.float32)[None]
    groups = np.repeat(np.int32([0, 1]), [30, 10])[None, :, None]
    places = select(relevance, groups, 0.0, 20)[0]
    seen = 1 / np.log2(2 + np.arange(20))
    first = groups[0, np.argsort(places)[:20], 0]
    assert seen[first == 1].sum() / seen.sum() == pytest.approx(0.25, abs=0.05)
    pool = made(3)
    whole = slate_of(fitted(Exposure, relevance=1).rerank(QUERIES, pool, 9), 9)
    np.testing.assert_array_equal(whole.ids, slate_of(pool, 9).ids)
