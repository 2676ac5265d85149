"""Interleaving: merge the slates of two arms into one, and credit each choice to the arm whose id was chosen.

Team-draft (Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?"):
in each round a coin decides which arm picks first; each adds its best id that is not yet in the slate, and
a choice is credited to the arm that added the id. Balanced (Joachims 2002, "Optimizing search engines using
clickthrough data"; 2003, "Evaluating retrieval performance using clickthrough data"): one coin decides for the whole
slate which arm comes first, and the two slates are merged place by place. Each arm has a rank for the last of the
choices; a choice is credited to each arm that ranks the chosen id no lower than the better of these two ranks.

A replay takes held-out interactions as the choices. Its result enters the paired comparison, whose unit is the user,
as if it were a metric: the value of an arm for a query is the share of interleavings that the arm wins.
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
"""The team of padding, and of places that were filled after one arm had no ids left."""

ROUNDS = 10
"""Number of interleavings of each query in a replay. More of them make the result depend less on the coins."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The slates of Q queries, each merged from those of two arms, 0 and 1.

    ids: int32 [Q, n], best first, -1 as padding
    team: int8 [Q, n], the arm that added the id at each place; -1 at padding, and at all places after one of the arms
        has nothing left to add
    ranks: int32 [2, Q, n], the place of each id, from 0, in the slate of each of the two arms; if a slate does not
        contain the id, a number beyond its last place
    """

    method: Method
    ids: Ints
    team: NDArray[np.int8]
    ranks: Ints

    def credits(self, chosen: Bools) -> Ints:
        """Count the choices credited to each arm: int32 [2, Q].

        chosen: bool [Q, n], True at the places of the slates that were chosen
        """
        chosen = chosen & (self.team != NOBODY)
        if self.method == "team-draft":
            return np.stack([(chosen & (self.team == arm)).sum(axis=1) for arm in (0, 1)]).astype(np.int32)
        # The depth to which either arm counts as seen: the better of the two ranks of the last choice.
        last = np.where(chosen, np.arange(chosen.shape[1]), 0).max(axis=1, keepdims=True, initial=0)
        depth = np.take_along_axis(self.ranks.min(axis=0), last, axis=1)
        return (chosen & (self.ranks <= depth)).sum(axis=2).astype(np.int32)


def interleave(a: Ints, b: Ints, n: int, method: Method, rng: np.random.Generator) -> Interleaved:
    """Merge the slates of arm 0, `a`, and of arm 1, `b`, into one slate of n places for each query.

    a, b: int32 [Q, at least 1], best first, each id once, -1 as padding at the end

    Once one arm has nothing left to add, the other fills the remaining places, which are credited to neither. Keep
    `team` and `ranks` of the result with the slate: without them no choice can be credited. Raises ConfigError for an
    unknown method and ValueError if `a` and `b` have different numbers of queries.
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
    """Merge the slates of two arms, int32 [2, Q, width], by team-draft.

    Returns the fields `ids`, int32 [Q, n], and `team`, int8 [Q, n], of `Interleaved`.
    """
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
    """Merge the slates of two arms, int32 [2, Q, width], by balanced interleaving.

    Returns the fields `ids`, int32 [Q, n], and `team`, int8 [Q, n], of `Interleaved`.

    The two slates of a query are read in turns, one place of each, and ids that occurred before are skipped.
    """
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
    """Append -1 to every row until it has `width` places; wider rows stay as they are."""
    return np.pad(rows, ((0, 0), (0, max(width - rows.shape[1], 0))), constant_values=PADDING)


def _ranks(ids: Ints, slate: Ints) -> Ints:
    """Find the place of each id in the slate of the same query, from 0: int32 in the shape of `ids`, [Q, n].

    An id that is not in the slate, int32 [Q, width], has the place `width`.
    """
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
    """Interleave the slates of two arms `rounds` times, taking the relevant ids as the choices: float64 [2, Q].

    control, variant: int32 [Q, width], the slates of the arms
    truth: csr [Q, N], the relevant ids

    Returns two rows, for the control and for the variant: the share of interleavings of each query that this arm wins,
    NaN for queries without relevant ids. An arm wins if more choices are credited to it than to the other arm.
    """
    won = np.zeros((2, len(control)))
    for _ in range(rounds):
        mixed = interleave(control, variant, n, method, rng)
        credited = mixed.credits(kernels.hits(mixed.ids, truth))
        won += credited > credited[::-1]
    return np.where(np.diff(truth.indptr) > 0, won / rounds, np.nan)
