"""Interleaving: two arms share one slate, and what is chosen from it says which arm is preferred.

Team-draft (Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval
quality?"): in each round a coin decides which arm picks first; each adds the best of its ids that is
not yet in the slate, and a choice counts for the team that brought it. Balanced (Joachims 2002,
"Optimizing search engines using clickthrough data"; 2003, "Evaluating retrieval performance using
clickthrough data"): one coin for the whole slate, into which the arms are merged place by place; a
choice counts for every arm that has it among as many of its best as were needed to see all choices.

Replay takes held-out interactions for the choices. The user is the unit, and all is said by the paired
comparison: what an arm "scores" at a query is the share of interleavings it wins there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Bools, Doubles, Ints, Sparse

Method: TypeAlias = Literal["team-draft", "balanced"]
METHODS: tuple[Method, ...] = get_args(Method)

NOBODY = -1
"""The team of padding, and of places that only one arm had something left for."""

ROUNDS = 10
"""Interleavings of each query in a replay, which are averaged: less noise by coins, the same expectation."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The slates of Q queries, each made of those of two arms, 0 and 1.

    ids: int32 [Q, n], best first, -1 as padding
    team: int8 [Q, n], the arm that brought each place; -1 (nobody) at padding, and once one of the arms
        has nothing left to add
    ranks: int32 [2, Q, n], the place of each id in the slate of either arm, from 0; where it is not in
        there, a number that no place has
    """

    method: Method
    ids: Ints
    team: NDArray[np.int8]
    ranks: Ints

    def credits(self, chosen: Bools) -> Ints:
        """int32 [2, Q]: choices counted for either arm; `chosen`, bool [Q, n], says which places were."""
        chosen = chosen & (self.team != NOBODY)
        if self.method == "team-draft":
            return np.stack([(chosen & (self.team == arm)).sum(axis=1) for arm in (0, 1)]).astype(np.int32)
        # How much of either arm is taken as seen: down to the better rank of the choice that stands last.
        last = np.where(chosen, np.arange(chosen.shape[1]), 0).max(axis=1, keepdims=True, initial=0)
        depth = np.take_along_axis(self.ranks.min(axis=0), last, axis=1)
        return (chosen & (self.ranks <= depth)).sum(axis=2).astype(np.int32)


def interleave(a: Ints, b: Ints, n: int, method: Method, rng: np.random.Generator) -> Interleaved:
    """One slate of n places for each query out of those of arm 0, `a`, and of arm 1, `b`.

    a, b: int32 [Q, at least 1], best first, each id once, -1 as padding at the end. Where one arm has
    nothing left to add, the other fills the rest for nobody. To credit choices later, keep `team` and
    `ranks` with the slate. Raises ConfigError for an unknown method and ValueError for different
    numbers of queries.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown interleaving method '{method}'; {did_you_mean(method, METHODS)}")
    if len(a) != len(b):
        raise ValueError(f"both arms answer the same queries, but there are {len(a)} slates and {len(b)}")
    width = max(a.shape[1], b.shape[1])
    slates = np.stack([_widened(slate, width) for slate in (a, b)])
    ids, team = (_team_draft if method == "team-draft" else _balanced)(slates, n, rng)
    return Interleaved(method, ids, team, np.stack([_ranks(ids, slate) for slate in slates]))


def _team_draft(slates: Ints, n: int, rng: np.random.Generator) -> tuple[Ints, NDArray[np.int8]]:
    """ids and teams [Q, n] of slates [2, Q, width]."""
    queries = np.arange(slates.shape[1])
    ids = np.full((len(queries), n), PADDING, np.int32)
    team = np.full((len(queries), n), NOBODY, np.int8)
    left = slates != PADDING
    drafting = np.ones(len(queries), bool)
    arm = np.zeros(len(queries), np.int8)
    for place in range(n):
        arm = 1 - arm if place % 2 else rng.integers(0, 2, len(queries), dtype=np.int8)
        able = left.any(axis=2)
        drafting &= able.all(axis=0)
        picking = np.where(able[arm, queries], arm, 1 - arm)
        best = slates[picking, queries, left[picking, queries].argmax(axis=1)]
        ids[:, place] = np.where(able.any(axis=0), best, PADDING)
        team[:, place] = np.where(drafting, picking, NOBODY)
        left &= slates != best[:, None]
    return ids, team


def _balanced(slates: Ints, n: int, rng: np.random.Generator) -> tuple[Ints, NDArray[np.int8]]:
    """ids and teams [Q, n] of slates [2, Q, width]: both are read in turns, what was met before is skipped."""
    _, queries, width = slates.shape
    second = np.stack([coin := rng.integers(0, 2, queries, dtype=np.int8), 1 - coin])[:, :, None]
    elsewhere = np.stack([_ranks(slates[0], slates[1]), _ranks(slates[1], slates[0])])
    fresh = (slates != PADDING) & (elsewhere >= np.arange(width) + second)
    arms = np.array([0, 1], np.int8)[:, None, None]
    teams = np.where((slates != PADDING).all(axis=0), arms, NOBODY)
    turns = 2 * np.arange(width) + second
    turns = np.where(fresh, turns, 2 * width).transpose(1, 0, 2).reshape(queries, -1)
    order = np.argsort(turns, axis=1, kind="stable")[:, :n]
    met = np.take_along_axis(turns, order, axis=1) < 2 * width
    ids, team = (
        np.where(met, np.take_along_axis(of.transpose(1, 0, 2).reshape(queries, -1), order, axis=1), fill)
        for of, fill in ((slates, PADDING), (teams, NOBODY))
    )
    return _widened(ids, n), _widened(team, n)  # PADDING and NOBODY are the same number


def _widened(rows: NDArray[Any], width: int) -> NDArray[Any]:
    """Rows filled up with -1."""
    return np.pad(rows, ((0, 0), (0, max(width - rows.shape[1], 0))), constant_values=PADDING)


def _ranks(ids: Ints, slate: Ints) -> Ints:
    """int32, shape of `ids`: the place of each id in the slate of its row; the slate's width if it has none."""
    width = slate.shape[1]
    ranks = np.full(ids.shape, width, np.int32)
    for place in range(width):
        ranks[(ids == slate[:, place, None]) & (ids != PADDING)] = place
    return ranks


def replay(
    control: Ints,
    variant: Ints,
    truth: Sparse,
    n: int,
    method: Method,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> Doubles:
    """Interleave the slates of two arms and take what is relevant for what would be chosen.

    control, variant: int32 [Q, width]; truth: csr [Q, N]. Gives float64 [2, Q], for control and variant
    the share of `rounds` interleavings of the query that the arm won, that is in which more choices were
    credited to it than to the other; NaN where nothing is relevant.
    """
    won = np.zeros((2, len(control)))
    for _ in range(rounds):
        mixed = interleave(control, variant, n, method, rng)
        credited = mixed.credits(kernels.hits(mixed.ids, truth))
        won += credited > credited[::-1]
    return np.where(np.diff(truth.indptr) > 0, won / rounds, np.nan)
