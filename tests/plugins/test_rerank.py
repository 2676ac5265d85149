"""Common properties of re-rankers of a fused pool; MMR, caps and corrections against plain loops."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import hybridrec_rerank
from hybridrec import PADDING, DataError, PluginError, Pool
from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract, edge_datasets
from hybridrec_rerank.calibration import Calibration
from hybridrec_rerank.caps import Caps, CapsOptions, admit
from hybridrec_rerank.corrections import (
    DAY,
    Freshness,
    FreshnessOptions,
    PopularityCorrection,
    PopularityCorrectionOptions,
)
from hybridrec_rerank.dpp import DPP
from hybridrec_rerank.explore import Explore
from hybridrec_rerank.exposure import Exposure
from hybridrec_rerank.mmr import MMR, MMROptions, select
from hybridrec_rerank.pinned import Pinned
from hybridrec_rerank.quotas import Quotas
from tests.plugins.rerank_pools import DATA, QUERIES, K, N, Q, fitted, made, rows

ALL = [
    fitted(MMR, dim=4),
    fitted(MMR, alike="tags", relevance=0.3),
    fitted(MMR, depth=3),
    fitted(Caps, most=1),
    fitted(Caps, most=2, depth=9),
    fitted(PopularityCorrection),
    fitted(Freshness),
    fitted(DPP, dim=4),
    fitted(DPP, vectors=np.random.default_rng(1).standard_normal((N, 3)).astype(np.float32), uses="als", depth=9),
    fitted(Calibration, relevance=0.2),
    fitted(Exposure, depth=20),
    fitted(Quotas, sources={"g": {"at_least": 3, "at_most": 4}, "h": {"at_most": 2}}),
    fitted(Pinned, places={2: "item 05", 1: "item 11", 40: "item 08"}),
    fitted(Explore, share=0.4, most=9),
]
NAMES = [f"{reranker.name}-{position}" for position, reranker in enumerate(ALL)]


def test_what_the_package_offers():
    names = [cls.name for cls in hybridrec_rerank.hybridrec_components()]
    selections = ["mmr", "dpp", "calibration", "exposure", "caps"]
    policies = ["epsilon-greedy", "plackett-luce"]
    assert names == [*selections, "quotas", "pinned", "explore", "popularity-correction", "freshness", *policies]


@pytest.mark.parametrize("n", [1, 10, 60])
@pytest.mark.parametrize("reranker", ALL, ids=NAMES)
def test_nothing_is_lost_and_a_query_alone_is_as_in_the_batch(reranker, n):
    pool = made()
    before = pool.final.copy()
    ranked = reranker.rerank(QUERIES, pool, n)
    np.testing.assert_array_equal(pool.final, before)
    assert ranked.final.dtype == np.float32
    pinned = np.isin(pool.ids, reranker.state().get("codes", []))  # a pinned item needs no score
    np.testing.assert_array_equal(np.isnan(ranked.final), np.isnan(before) & ~pinned)
    slate = slate_of(ranked, n).ids
    assert [set(row) - {PADDING} for row in slate_of(ranked, K).ids] == [set(row) - {PADDING} for row in pool.ids]
    for row in range(Q):
        order = np.array([row])
        alone = reranker.rerank(QUERIES.take(order), rows(pool, order), n)
        np.testing.assert_array_equal(slate_of(alone, n).ids[0], slate[row])


@pytest.mark.parametrize("reranker", ALL, ids=NAMES)
def test_state_empty_pools_and_pools_that_are_not_fused(reranker):
    pool = made(1)
    again = type(reranker)(reranker.config)
    if getattr(reranker.config, "uses", None) is not None:
        again.use(reranker._model)
    again.restore(reranker.state())
    np.testing.assert_array_equal(again.rerank(QUERIES, pool, 5).final, reranker.rerank(QUERIES, pool, 5).final)
    assert reranker.rerank(QUERIES, Pool.empty("items", Q), 5).final.shape == (Q, 0)
    alone = replace(pool, columns={"a": pool.final}, final=None)
    np.testing.assert_array_equal(reranker.rerank(QUERIES, alone, 5).final, reranker.rerank(QUERIES, pool, 5).final)
    with pytest.raises(PluginError, match="put a fusion before it"):
        reranker.rerank(QUERIES, replace(pool, final=None), 5)


@pytest.mark.parametrize("data", edge_datasets().values(), ids=edge_datasets())
@pytest.mark.parametrize("cls", [MMR, DPP, Calibration, Exposure, Caps, Explore, PopularityCorrection])
def test_edge_datasets_can_be_fitted(cls, data):
    fitted(cls, data)


def mmr_by_hand(relevance, vectors, trade, n):
    """The formula, one query and one place at a time."""
    order = []
    left = [j for j in range(len(relevance)) if relevance[j] > -np.inf]
    while left and len(order) < n:
        gains = [
            trade * relevance[j] - (1 - trade) * max((float(vectors[j] @ vectors[i]) for i in order), default=-1)
            for j in left
        ]
        order.append(left.pop(int(np.argmax(gains))))
    return order


@pytest.mark.parametrize("trade", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("n", [1, 6, 30])
def test_mmr_is_the_formula(trade, n):
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((Q, 12, 3))
    vectors = (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)
    relevance = -np.sort(-rng.random((Q, 12)), axis=1).astype(np.float32)
    relevance[np.arange(12) >= rng.integers(0, 13, Q)[:, None]] = -np.inf
    places = select(relevance, vectors, trade, n)
    for row in range(Q):
        wanted = mmr_by_hand(relevance[row], vectors[row], trade, n)
        assert np.argsort(places[row])[: len(wanted)].tolist() == wanted
        assert (np.diff(places[row][places[row] >= n]) > 0).all()  # the others keep their order


def test_mmr_trades_relevance_for_variety():
    pool = made(2)
    order = {share: slate_of(fitted(MMR, relevance=share, dim=4).rerank(QUERIES, pool, 5), 5) for share in (1.0, 0.5)}
    np.testing.assert_array_equal(order[1.0].ids, slate_of(pool, 5).ids)
    vectors = fitted(MMR, dim=4).state()["vectors"]

    def likeness(slate):
        full = vectors[slate.ids[(slate.ids != PADDING).all(axis=1)]]
        return np.matmul(full, full.transpose(0, 2, 1)).mean()

    assert likeness(order[0.5]) < likeness(order[1.0]) - 0.02


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("n", [3, 50])
def test_caps_are_kept_as_by_hand(most, n):
    rng = np.random.default_rng(6)
    tags = np.sort(np.argsort(rng.random((Q, 15, 6)), axis=2)[:, :, :2], axis=2).astype(np.int32)
    tags[rng.random((Q, 15)) < 0.2, 1] = PADDING
    tags[rng.random((Q, 15)) < 0.1] = PADDING
    valid = np.arange(15) < rng.integers(0, 16, Q)[:, None]
    taken = admit(tags, valid, most, n)
    for row in range(Q):
        counts, wanted = {}, []
        for j in range(15):
            mine = [tag for tag in tags[row, j] if tag != PADDING]
            fits = valid[row, j] and all(counts.get(tag, 0) < most for tag in mine) and len(wanted) < n
            if fits:
                wanted.append(j)
                counts |= {tag: counts.get(tag, 0) + 1 for tag in mine}
        assert np.flatnonzero(taken[row]).tolist() == wanted


def test_caps_count_the_tags_with_the_prefix_and_fill_the_slate_with_the_others():
    data = replace(
        DATA,
        item_has={"tags": csr_matrix((np.ones(N, np.float32), (np.arange(N), np.arange(N) % 2)), shape=(N, 12))},
        assignments={},
    )
    first = data.vocabulary("tags").ids.to_list()[0]
    ids = np.array([[0, 1, 2, 3, 4, 6]], np.int32)
    final = np.array([[6, 5, 4, 3, 2, 1]], np.float32)
    pool = Pool("items", ids, ("g",), np.ones(ids.shape, np.uint64), {"a": final}, final)
    query = QUERIES.take(slice(0, 1))

    def of(**options):
        return slate_of(fitted(Caps, data, **options).rerank(query, pool, 6), 6).ids[0].tolist()

    assert of(most=1) == [0, 1, 2, 3, 4, 6]  # one even, one odd, then the others
    assert of(most=1, prefix=first) == [0, 1, 3, 2, 4, 6]  # odd items carry no such tag
    assert of(most=2, prefix=first) == [0, 1, 2, 3, 4, 6]


def test_popularity_is_taken_off_as_by_hand():
    pool = made(3)
    users = np.asarray(DATA.interactions.matrix(binary=True).sum(axis=0)).ravel()
    for strength in (0.0, 0.5, -1.0):
        final = fitted(PopularityCorrection, strength=strength).rerank(QUERIES, pool, 5).final
        for row in range(Q):
            valid = pool.valid[row]
            scores, counts = pool.final[row, valid], np.log1p(users[pool.ids[row, valid]])
            z = [(x - np.nanmean(x)) / (np.nanstd(x) or 1) if len(x) else x for x in (scores, counts)]
            np.testing.assert_allclose(final[row, valid], z[0] - strength * z[1], rtol=1e-4, atol=1e-5)


def test_freshness_halves_with_age_and_is_measured_from_the_query():
    times = np.array([np.nan, 100, 90, 60, 130]) * DAY
    data = DATA.with_entities("items", times=np.concatenate([times, np.full(N - 5, np.nan)]))
    ids = np.tile(np.arange(5, dtype=np.int32), (2, 1))
    pool = Pool("items", ids, ("g",), np.ones(ids.shape, np.uint64), {}, np.ones(ids.shape, np.float32))
    queries = replace(QUERIES.take(slice(0, 2)), times=np.array([100 * DAY, np.nan]))
    final = fitted(Freshness, data, boost=2, half_life=10).rerank(queries, pool, 5).final
    np.testing.assert_allclose(final[0], 2 * np.array([0, 1, 0.5, 1 / 16, 1]), rtol=1e-5)
    np.testing.assert_allclose(final[1], 2 * np.array([0, 1 / 8, 1 / 16, 2**-7, 1]), rtol=1e-5)
    with pytest.raises(DataError, match="needs the times of items"):
        fitted(Freshness, DATA.with_entities("items", times=None))


def test_options_are_checked():
    for options, wrong in (
        (MMROptions, {"relevance": 1.5}),
        (CapsOptions, {"most": 0}),
        (FreshnessOptions, {"half_life": 0}),
        (PopularityCorrectionOptions, {"strength": "much"}),
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            options(**wrong)


@pytest.mark.parametrize("chain", [*permutations(range(7, len(ALL)), 2)], ids=str)
def test_rerankers_are_chained_in_any_order(chain):
    pool = made(4)
    for place in (*chain, 3, 0):
        pool = ALL[place].rerank(QUERIES, pool, 10)
    assert [set(row) - {PADDING} for row in slate_of(pool, K).ids] == [set(row) - {PADDING} for row in pool.ids]


class TestMMR(RerankerContract):
    reranker = MMR
    configs = [{}, {"alike": "tags", "relevance": 0.3}]


class TestCaps(RerankerContract):
    reranker = Caps
    configs = [{}, {"most": 1}]


class TestPopularityCorrection(RerankerContract):
    reranker = PopularityCorrection


@pytest.mark.parametrize("cls", [MMR, DPP])
def test_items_for_which_the_component_has_no_vector_are_like_nothing(cls):
    vectors = np.random.default_rng(1).standard_normal((N, 3)).astype(np.float32)
    without = (np.arange(N) % 3 == 0)[:, None]
    orders = [
        fitted(cls, vectors=np.where(without, nothing, vectors), uses="als").rerank(QUERIES, made(), 10).final
        for nothing in (np.float32(np.nan), np.float32(0))
    ]
    np.testing.assert_array_equal(*orders)
