"""Rules for places: quotas of generators, pinned items, places for new items."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import PADDING, DataError, PluginError, Pool
from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract
from hybridrec_rerank.explore import Explore
from hybridrec_rerank.pinned import Pinned, PinnedOptions
from hybridrec_rerank.quotas import Quotas, QuotasOptions
from tests.plugins.rerank_pools import DATA, QUERIES, K, N, fitted, made


class TestQuotas(RerankerContract):
    reranker = Quotas
    configs = [
        {"sources": {"first": {"at_least": 3}, "second": {"at_most": 2}}},
        {"sources": {"first": {"at_most": 0}}},
    ]
    columns = ("first", "second")

    def pool(self):
        pool = super().pool()
        return replace(pool, columns={"first": pool.columns["first"]})


class TestPinned(RerankerContract):
    reranker = Pinned
    configs = [{"places": {"1": "item 07"}}, {"places": {3: "item 01", 90: "item 02"}}]


class TestExplore(RerankerContract):
    reranker = Explore
    configs = [{}, {"share": 0.5, "most": 8}, {"places": [2, 7], "most": 8}]


ONE = QUERIES.take(slice(0, 1))


def pool_of(ids, sources=None):
    """One query; the candidates in this order, best first."""
    best_first = np.array([ids], np.int32)
    places = np.argsort(best_first, axis=1)
    sources = np.ones((1, len(ids))) if sources is None else np.array([sources])
    final = -np.arange(len(ids), dtype=np.float32)[None]
    given = [np.take_along_axis(a, places, axis=1) for a in (best_first, sources.astype(np.uint64), final)]
    return Pool("items", given[0], ("a", "b"), given[1], {"c": given[2]}, given[2])


def order(reranker, pool, n):
    ids = slate_of(reranker.rerank(ONE, pool, n), pool.ids.shape[1]).ids[0]
    return ids[ids != PADDING].tolist()


@pytest.mark.parametrize(
    ("sources", "wanted"),
    [
        ({"a": {"at_most": 2}}, [10, 11, 14, 15, 12, 13, 16]),
        ({"b": {"at_least": 1}}, [10, 11, 12, 14, 13, 15, 16]),
        ({"b": {"at_least": 3}}, [10, 14, 15, 16, 11, 12, 13]),
        ({"b": {"at_least": 9}}, [10, 14, 15, 16, 11, 12, 13]),
        ({"a": {"at_most": 0}, "b": {"at_most": 1}}, [14, 10, 11, 12, 13, 15, 16]),
        ({"a": {"at_most": 1}, "b": {"at_least": 2}}, [10, 14, 15, 11, 12, 13, 16]),
        ({"nobody": {"at_least": 2}}, [10, 11, 12, 13, 14, 15, 16]),
    ],
)
def test_quotas_by_hand(sources, wanted):
    # a proposed 10 to 13 and 16, b proposed 14 to 16
    pool = pool_of([10, 11, 12, 13, 14, 15, 16], [1, 1, 1, 1, 2, 2, 3])
    assert order(fitted(Quotas, sources=sources), pool, 4) == wanted


def test_quotas_are_kept_wherever_candidates_suffice():
    pool, n = made(5), 8
    quotas = fitted(Quotas, sources={"g": {"at_least": 3}, "h": {"at_most": 5}})
    slate = slate_of(quotas.rerank(QUERIES, pool, n), n).ids
    for row, ids in enumerate(slate):
        proposed = {label: pool.ids[row][pool.proposed_by(label)[row]] for label in ("g", "h")}
        scored = pool.ids[row][~np.isnan(pool.final[row])]
        others = np.setdiff1d(scored, proposed["h"])
        if len(others) >= 3:
            assert np.isin(proposed["g"], ids).sum() >= 3
        if len(others) >= n - 5:
            assert np.isin(ids, proposed["h"]).sum() <= 5


def test_quotas_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="a: at_least 3 is more than at_most 2"):
        QuotasOptions(sources={"a": {"at_least": 3, "at_most": 2}})


@pytest.mark.parametrize("quota", [{}, {"at_least": 0}])
def test_a_quota_that_says_nothing_is_refused(quota):
    with pytest.raises(ValueError, match="'a' has no quota; set at_least or at_most"):
        QuotasOptions(sources={"a": quota})


def test_pinned_items_stand_at_their_places():
    pool = pool_of([10, 11, 12, 13, 14, 15])
    pinned = fitted(Pinned, places={1: "item 14", 3: "item 10", 6: "item 30"})
    assert order(pinned, pool, 4) == [14, 11, 10, 12, 13, 15]  # 30 is no candidate: nobody waits for it
    assert order(fitted(Pinned, places={20: "item 10"}), pool, 4) == [11, 12, 13, 14, 15, 10]


def test_a_pinned_item_needs_no_score_but_must_be_a_candidate():
    pool = pool_of([10, 11, 12])
    silent = replace(pool, final=np.where(pool.ids == 12, np.float32(np.nan), pool.final))
    assert order(fitted(Pinned, places={1: "item 12"}), silent, 3) == [12, 10, 11]


def test_what_cannot_be_pinned_is_refused():
    with pytest.raises(ValueError, match="'x' is pinned to two places"):
        PinnedOptions(places={1: "x", 2: "x"})
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        PinnedOptions(places={0: "x"})
    with pytest.raises(DataError, match="1 id is not in the data, first 'item 99'"):
        fitted(Pinned, places={1: "item 99"})


def explorer(new, **options):
    """Fitted where only the given items are new."""
    hidden = np.isin(DATA.interactions.ids, new)
    others = np.setdiff1d(np.arange(N), new).astype(np.int32)
    users = np.zeros(len(others), np.int32)
    history = type(DATA.interactions).from_columns(users, others, DATA.interactions.matrix().shape)
    assert hidden.any()
    return fitted(Explore, replace(DATA, interactions=history), **options)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"share": 0.5}, [1, 30, 2, 31, 3, 4, 5, 32]),
        ({"share": 0.25}, [1, 2, 3, 30, 4, 5, 31, 32]),
        ({"places": [3, 1]}, [30, 1, 31, 2, 3, 4, 5, 32]),
        ({"share": 1}, [30, 31, 32, 1, 2, 3, 4, 5]),
        ({"places": [7]}, [1, 2, 3, 4, 5, 30, 31, 32]),
    ],
)
def test_new_items_are_lifted_to_their_places(options, wanted):
    pool = pool_of([1, 2, 3, 4, 5, 30, 31, 32])
    assert order(explorer([30, 31, 32], **options), pool, 5) == wanted


def test_a_new_item_that_stands_higher_stays_there():
    pool = pool_of([1, 30, 2, 3, 4, 31, 5])
    assert order(explorer([30, 31], places=[3, 5]), pool, 5) == [1, 30, 2, 3, 31, 4, 5]


def test_exploring_needs_a_fusion_before_it():
    with pytest.raises(PluginError, match="put a fusion before it"):
        fitted(Explore).rerank(QUERIES, replace(made(), final=None), K)
