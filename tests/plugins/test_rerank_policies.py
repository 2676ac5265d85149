"""Policies: what they draw is as probable as they say, and belongs to the request."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from hybridrec import PADDING, simulated_marginals
from hybridrec.stages.pipeline import slate_of
from hybridrec.testing import RerankerContract
from hybridrec_rerank.epsilon_greedy import EpsilonGreedy
from hybridrec_rerank.plackett_luce import PlackettLuce
from tests.plugins.rerank_pools import QUERIES, Q, fitted, made

NAMED = replace(QUERIES, ids=tuple(f"r{row}" for row in range(Q)))
POLICIES = [
    fitted(PlackettLuce),
    fitted(PlackettLuce, temperature=5, depth=4),
    fitted(EpsilonGreedy),
    fitted(EpsilonGreedy, epsilon=1, depth=4),
]


class TestPlackettLuce(RerankerContract):
    reranker = PlackettLuce
    configs = [{}, {"temperature": 3, "depth": 5}]


class TestEpsilonGreedy(RerankerContract):
    reranker = EpsilonGreedy
    configs = [{}, {"epsilon": 0.7, "depth": 5}, {"epsilon": 1}]


def few(final):
    """A pool whose rows have three candidates, with these final scores."""
    pool = made()
    kept = np.flatnonzero(pool.valid.sum(axis=1) >= 3)[:2]
    pool, queries = pool.take(kept), NAMED.take(kept)
    cols = np.arange(3)
    narrow = replace(
        pool,
        ids=pool.ids[:, cols],
        sources=pool.sources[:, cols],
        columns={label: values[:, cols] for label, values in pool.columns.items()},
        places={label: values[:, cols] for label, values in pool.places.items()},
        final=np.tile(np.float32(final), (2, 1)),
    )
    return queries, narrow


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.depth}")
def test_the_slates_of_a_pool_have_probability_1_together(policy):
    queries, pool = few([0.3, 0.1, 0.9])
    total = np.zeros(2)
    for order in permutations(range(3)):
        total += policy.propensities(queries, pool, pool.ids[:, order].copy()).astype(float).prod(axis=1)
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_plackett_luce_is_a_softmax_without_replacement():
    queries, pool = few([0.0, 0.5, 1.0])
    given = fitted(PlackettLuce, temperature=0.5).propensities(queries, pool, pool.ids[:, [1, 2, 0]].copy())
    weights = np.exp([0, 1, 2])
    np.testing.assert_allclose(given[0], [weights[1] / weights.sum(), weights[2] / (weights[0] + weights[2]), 1], 1e-5)


def test_epsilon_greedy_spreads_epsilon_over_what_is_left():
    queries, pool = few([0.0, 0.5, 1.0])
    given = fitted(EpsilonGreedy, epsilon=0.3).propensities(queries, pool, pool.ids[:, [1, 2, 0]].copy())
    np.testing.assert_allclose(given[0], [0.1, 0.85, 1], rtol=1e-6)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.depth}")
def test_what_it_does_not_show_has_no_chance(policy):
    pool = made()
    slates = slate_of(policy.rerank(NAMED, pool, 10), 10).ids
    strange = np.where(slates == PADDING, PADDING, 10_000 + np.arange(10)).astype(np.int32)
    assert not policy.propensities(NAMED, pool, strange)[slates != PADDING].any()
    twice = np.repeat(slates[:, :1], 2, axis=1)
    assert not policy.propensities(NAMED, pool, twice)[slates[:, 0] != PADDING, 1].any()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.depth}")
def test_a_drawn_slate_has_a_chance_at_each_place(policy):
    pool = made()
    slates = slate_of(policy.rerank(NAMED, pool, 10), 10).ids
    given = policy.propensities(NAMED, pool, slates)
    valid = slates != PADDING
    assert (given[valid] > 0).all()
    behind = (np.arange(10) >= np.minimum(pool.valid.sum(axis=1), policy.depth)[:, None]) & valid
    assert (given[behind] == 1).all()  # what it does not draw is certain


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.depth}")
def test_the_order_of_the_batch_does_not_matter(policy):
    pool = made()
    turned = np.arange(Q)[::-1]
    whole = slate_of(policy.rerank(NAMED, pool, 5), 5).ids
    other = slate_of(policy.rerank(NAMED.take(turned), pool.take(turned), 5), 5).ids
    np.testing.assert_array_equal(whole[turned], other)


def test_marginals_are_shares_of_draws():
    queries, pool = few([0.0, 0.5, 1.0])
    policy = fitted(EpsilonGreedy, epsilon=0.3)
    first = policy.propensities(queries, pool, pool.ids[:, [2, 1, 0]].copy())[:, :1]
    shares = simulated_marginals(policy, queries, pool, 1, draws=2000)
    np.testing.assert_allclose(shares[:, 2:], first, atol=0.05)
    np.testing.assert_allclose(simulated_marginals(policy, queries, pool, 2, draws=50).sum(axis=1), 2, rtol=1e-6)
