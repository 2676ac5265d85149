"""Interleaved slates against the algorithms as printed, and what replaying them says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.errors import ConfigError
from hybridrec.evaluation.interleaving import METHODS, NOBODY, interleave, replay

A, B = [1, 2, 3, 4], [2, 5, 1, 6]
MANY = 400


def rows(*slates, times=1):
    return np.repeat(np.array(slates, np.int32), times, axis=0)


def drafted(a, b, n, coins):
    """Team-draft of one query, word for word; the coins say who picks first in each round."""
    ids, teams = [], []
    while len(ids) < n:
        first = next(coins)
        for arm in (first, 1 - first):
            left = [[i for i in slate if i not in ids] for slate in (a, b)]
            if len(ids) < n and left[0] and left[1]:
                ids.append(left[arm][0])
                teams.append(arm)
        if not left[0] or not left[1]:
            break
    return ids, teams


def balanced(a, b, n, first):
    """Balanced interleaving of one query, word for word (slates of one length)."""
    ids, at = [], [0, 0]
    while len(ids) < n and min(at) < len(a):
        arm = first if at[0] == at[1] else int(at[1] < at[0])
        if (item := (a, b)[arm][at[arm]]) not in ids:
            ids.append(item)
        at[arm] += 1
    return ids


def test_team_draft_is_one_of_the_possible_drafts(rng):
    interleaved = interleave(rows(A, times=MANY), rows(B, times=MANY), 4, "team-draft", rng)
    possible = {
        (tuple(ids), tuple(teams))
        for coins in itertools.product((0, 1), repeat=2)
        for ids, teams in [drafted(A, B, 4, iter(coins))]
    }
    got = {(tuple(i), tuple(t)) for i, t in zip(interleaved.ids.tolist(), interleaved.team.tolist(), strict=True)}
    assert got == possible
    assert (interleaved.team == 0).sum(axis=1).tolist() == [2] * MANY


def test_balanced_is_what_either_coin_gives(rng):
    interleaved = interleave(rows(A, times=MANY), rows(B, times=MANY), 5, "balanced", rng)
    assert {tuple(ids) for ids in interleaved.ids.tolist()} == {tuple(balanced(A, B, 5, first)) for first in (0, 1)}
    assert 0.4 < np.mean(interleaved.ids[:, 0] == 1) < 0.6


@pytest.mark.parametrize("method", METHODS)
def test_ids_are_distinct_and_ranks_are_those_of_the_slates(method, rng):
    source = np.random.default_rng(1)
    a, b = (source.permuted(np.tile(np.arange(30, dtype=np.int32), (50, 1)), axis=1)[:, :12] for _ in range(2))
    interleaved = interleave(a, b, 12, method, rng)
    assert all(len(set(ids)) == 12 for ids in interleaved.ids.tolist())
    for arm, slates in enumerate((a, b)):
        for ids, ranks, slate in zip(interleaved.ids, interleaved.ranks[arm], slates, strict=True):
            assert [slate.tolist().index(i) if i in slate else 12 for i in ids] == ranks.tolist()
    again = interleave(a, b, 12, method, np.random.default_rng(7))
    np.testing.assert_array_equal(interleaved.ids, again.ids)


@pytest.mark.parametrize("method", METHODS)
def test_what_only_one_arm_can_add_counts_for_nobody(method, rng):
    interleaved = interleave(rows([1, -1, -1, -1], times=9), rows(B, times=9), 6, method, rng)
    assert [sorted(ids) for ids in interleaved.ids.tolist()] == [[-1, -1, 1, 2, 5, 6]] * 9
    assert (interleaved.team[:, 2:] == NOBODY).all()
    everything = interleaved.credits(interleaved.ids != -1)
    nobody = interleave(rows([-1, -1]), rows([-1, -1]), 3, method, rng)
    assert nobody.ids.tolist() == [[-1, -1, -1]]
    assert nobody.credits(np.ones((1, 3), bool)).tolist() == [[0], [0]]
    assert everything.max() <= 2


def test_slates_of_different_width(rng):
    interleaved = interleave(rows([1, 2]), rows([3, 4, 5]), 4, "balanced", rng)
    assert sorted(interleaved.ids[0].tolist()) == [1, 2, 3, 4]


def test_team_draft_credits_the_team(rng):
    interleaved = interleave(rows(A), rows(B), 4, "team-draft", rng)
    chosen = np.array([[True, True, False, True]])
    for arm in (0, 1):
        assert interleaved.credits(chosen)[arm] == np.sum(interleaved.team[chosen] == arm)


@pytest.mark.parametrize(
    ("choices", "credited"),
    [
        ([5], (0, 1)),  # second of B, not in A
        ([1], (1, 0)),  # first of A, third of B: one place is as much as had to be seen
        ([2], (0, 1)),
        ([1, 2], (1, 1)),
        ([3], (1, 0)),
        ([2, 3], (2, 1)),  # three places deep, 2 is in both
        ([], (0, 0)),
    ],
)
def test_balanced_credits_by_the_best_ranks_that_were_seen(choices, credited):
    for seed in range(4):
        interleaved = interleave(rows(A), rows(B), 5, "balanced", np.random.default_rng(seed))
        if choices == [1, 2] and interleaved.ids[0, 0] == 2:
            continue  # the same choices reach one place deep if 1 stands last, none of A's second
        assert tuple(interleaved.credits(np.isin(interleaved.ids, choices))[:, 0]) == credited


def test_a_typo_and_a_mismatch_are_named(rng):
    with pytest.raises(ConfigError, match="did you mean 'balanced'"):
        interleave(rows(A), rows(B), 4, "balance", rng)
    with pytest.raises(ValueError, match="1 slates and 2"):
        interleave(rows(A), rows(B, B), 4, "balanced", rng)


def truth(*relevant, times=1):
    dense = np.zeros((len(relevant), 40), np.float32)
    for row, ids in enumerate(relevant):
        dense[row, ids] = 1
    return csr_matrix(np.repeat(dense, times, axis=0))


@pytest.mark.parametrize("method", METHODS)
def test_neither_place_of_the_arms_is_favoured(method, rng):
    source = np.random.default_rng(2)
    a, b = (source.permuted(np.tile(np.arange(40, dtype=np.int32), (3000, 1)), axis=1)[:, :10] for _ in range(2))
    relevant = truth(range(0, 40, 4), times=3000)
    straight, swapped = replay(a, b, relevant, 10, method, rng), replay(b, a, relevant, 10, method, rng)
    np.testing.assert_allclose(straight.mean(axis=1), swapped[::-1].mean(axis=1), atol=0.01)
    same = replay(a, a, relevant, 10, method, rng)
    assert same[0].mean() == pytest.approx(same[1].mean(), abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_the_better_arm_wins_and_silence_is_no_opinion(method, rng):
    wins = replay(rows([7, 8, 9], [7, 8, 9]), rows([1, 2, 9], [1, 2, 9]), truth([1, 2], []), 3, method, rng)
    assert wins[:, 0].tolist() == [0, 1]
    assert np.isnan(wins[:, 1]).all()
