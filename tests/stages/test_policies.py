"""Slates that are drawn: their propensities through the stages, and those under another pipeline."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import PADDING, ConfigError, Exclude, PluginError, Reranker
from hybridrec.stages.policies import simulated_marginals
from hybridrec.stages.slate import Slate
from tests.stages.builders import QUERIES, Fixed, pipeline

NAMED = replace(QUERIES, ids=tuple(f"r{row}" for row in range(len(QUERIES))))


class Shuffled(Reranker):
    """Every order of the pool is equally likely."""

    name, fuses, stochastic = "shuffled", False, True
    told = 1.0

    def rerank(self, queries, pool, n):
        noise = np.stack([np.random.default_rng(list(name.encode())).random(pool.ids.shape[1]) for name in queries.ids])
        return pool.ranked(noise.astype(np.float32), noise=noise.astype(np.float32))

    def propensities(self, queries, pool, ids):
        left = pool.valid.sum(axis=1)[:, None] - np.arange(ids.shape[1])
        inside = (ids[:, :, None] == pool.ids[:, None]).any(axis=2)
        return np.where(inside & (left > 0), self.told / np.maximum(left, 1), 0).astype(np.float32)


DRAWN = {"items": (Shuffled(),)}


def test_a_drawn_slate_tells_its_propensities_and_the_fallback_is_certain():
    pipe = pipeline([("few", Fixed([1, 2, 3]), 3)], rerankers=DRAWN, fallback=[("all", Fixed())])
    slate = pipe.slate(NAMED, "items", 5)
    np.testing.assert_allclose(slate.extras["propensity"], [[1 / 3, 1 / 2, 1, 1, 1]] * len(QUERIES))
    assert slate.requests == NAMED.ids
    assert np.isnan(slate.extras["noise"][:, 3:]).all()
    assert (slate.extras["noise"][:, 0] >= slate.extras["noise"][:, 1]).all()
    assert len({tuple(row) for row in slate.ids[:, :3].tolist()}) > 1


def test_other_pipelines_say_how_probable_a_slate_is():
    drawn = pipeline([("few", Fixed([1, 2, 3]), 3)], rerankers=DRAWN, fallback=[("all", Fixed())])
    wide = pipeline([("some", Fixed([1, 2, 3, 0]), 4)], rerankers=DRAWN, fallback=[("all", Fixed())])
    fixed = pipeline([("few", Fixed([1, 2, 3]), 3)], rerankers={}, fallback=[("all", Fixed())])
    ids = drawn.slate(NAMED, "items", 5).ids
    for pipe, wanted in ((wide, [[1 / 4, 1 / 3, 1 / 2, 1, 1]] * len(ids)), (fixed, ids == [1, 2, 3, 0, 4])):
        exclude = pipe.filters.exclude(NAMED, "items")
        pool = pipe.score(NAMED, pipe.generate(NAMED, "items", exclude))
        own = pipe.complete(NAMED, pipe.rank(NAMED, pool, 5), 5, exclude)
        np.testing.assert_allclose(pipe.propensities(NAMED, pool, own, ids), wanted, rtol=1e-6)
        short = np.where(np.arange(5) < 2, ids, PADDING)
        assert np.isnan(pipe.propensities(NAMED, pool, own, short)[:, 2:]).all()


def test_slates_with_more_columns_are_joined_cut_and_kept():
    pipe = pipeline([("few", Fixed([1, 2, 3]), 3)], rerankers=DRAWN)
    slate = pipe.slate(NAMED, "items", 3)
    plain = replace(slate, extras={}, requests=None)
    again = Slate.restore("items", slate.state())
    assert again.requests == slate.requests
    np.testing.assert_array_equal(again.extras["noise"], slate.extras["noise"])
    second = slate.take(slice(1, 2))
    assert second.requests == slate.requests[1:2]
    np.testing.assert_array_equal(second.extras["propensity"], slate.extras["propensity"][1:2])
    assert Slate.stack([slate, second]).requests == (*slate.requests, slate.requests[1])
    mixed = Slate.stack([plain, slate])
    assert mixed.requests is None
    assert np.isnan(mixed.extras["noise"][: len(plain)]).all()
    np.testing.assert_array_equal(mixed.extras["noise"][len(plain) :], slate.extras["noise"])


def test_draws_need_names_of_the_requests():
    with pytest.raises(ConfigError, match="pipeline 'mine' draws its slates: give the batch of queries `ids`"):
        pipeline([("few", Fixed(), 3)], rerankers=DRAWN).slate(QUERIES, "items", 3)


@pytest.mark.parametrize("told", [-1.0, 9.0, np.nan])
def test_impossible_propensities_are_refused(told):
    policy = Shuffled()
    policy.told = told
    with pytest.raises(PluginError, match="from 0 to 1"):
        pipeline([("few", Fixed(), 3)], rerankers={"items": (policy,)}).slate(NAMED, "items", 3)


class Takes(Reranker):
    """Adds a column under a name that slates have already."""

    name, fuses = "takes", False

    def rerank(self, queries, pool, n):
        return pool.ranked(next(iter(pool.columns.values())), score=np.ones(pool.ids.shape, np.float32))


def test_columns_of_slates_keep_their_meaning():
    with pytest.raises(PluginError, match="extras: 'score' is a column that every slate has"):
        pipeline([("few", Fixed(), 3)], rerankers={"items": (Takes(),)}).slate(NAMED, "items", 3)


def test_shares_of_drawn_slates_are_those_of_a_policy_known_by_hand():
    pool = pipeline([("few", Fixed([1, 2, 3]), 3)]).generate(NAMED, "items", Exclude())
    shares = simulated_marginals(Shuffled(), NAMED, pool, 2, draws=400)
    np.testing.assert_allclose(shares[pool.valid], 2 / 3, atol=0.12)
    assert not shares[~pool.valid].any()
    np.testing.assert_allclose(shares.sum(axis=1), 2, rtol=1e-6)
