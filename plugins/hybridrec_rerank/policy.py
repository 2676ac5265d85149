"""Base of policies: re-rankers that draw the order of the best candidates, and tell how probable an order is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from hybridrec import PADDING, Bools, Dataset, Doubles, Floats, Ints, Longs, Pool, QueryBatch, Reranker, State, kernels
from hybridrec_rerank.pool_order import head, moved

PLACES = 1 << 32
"""Key of the random draw for place 0, and the next keys for the next places; draws for candidates have ids as keys."""


class Policy(Reranker):
    """Re-ranker that draws the places of the best `depth` candidates one after another; the others follow in order.

    A subclass says how probable each open candidate is to be the next, and draws accordingly.
    """

    fuses = False
    stochastic = True

    _seed: int

    @abstractmethod
    def chances(self, scores: Floats) -> Chances:
        """Return the chances of the candidates; `scores`, float32 [Q, D], are best first, -inf at padding."""

    @abstractmethod
    def drawn(self, scores: Floats, ids: Ints, requests: tuple[str, ...], seed: int, n: int) -> Longs:
        """Draw the place of each candidate, int64 [Q, D], from 0; the places after the first n are in any order.

        scores: float32 [Q, D], best first, -inf at padding
        ids: int32 [Q, D], the ids of the candidates
        requests: the name of each request; a name and `seed` together determine the draw
        """

    @property
    @abstractmethod
    def depth(self) -> int:
        """The number of best candidates among which the policy draws."""

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Draw the seed from which all slates are drawn; return self."""
        self._seed = int(rng.integers(2**63))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Draw the candidates of the first n places; the other candidates follow in any order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.depth)
        if not ids.size:
            return pool.ranked(final)
        assert queries.ids is not None  # the pipeline gives names to policies
        return moved(pool, final, columns, self.drawn(scores, ids, queries.ids, self._seed, n))

    def propensities(self, queries: QueryBatch, pool: Pool, ids: Ints) -> Floats:
        """Return the probability of each id, given the ids before it in the slate: float32 [Q, n]."""
        final = pool.fused()
        _, candidates, scores = head(pool, final, self.depth)
        result = np.zeros(ids.shape, np.float32)
        if not candidates.size:
            return result
        rows = np.arange(len(ids))
        chances = self.chances(scores)
        in_order = np.take_along_axis(pool.ids, kernels.order(final, ids.shape[1]), axis=1)
        drawn_from = (scores > -np.inf).sum(axis=1)
        for place in range(ids.shape[1]):
            shown = ids[:, place]
            where = (candidates == shown[:, None]) & chances.open & (shown != PADDING)[:, None]
            there, chosen = where.any(axis=1), where.argmax(axis=1)
            result[there, place] = chances.of(place)[rows[there], chosen[there]]
            chances.open[rows[there], chosen[there]] = False
            if place < in_order.shape[1]:  # after all of them, the order is certain
                behind = place >= drawn_from
                result[behind, place] = shown[behind] == in_order[behind, place]
        return result

    def state(self) -> State:
        """Return the seed."""
        return {"seed": np.array(self._seed, np.int64)}

    def restore(self, state: State) -> Self:
        """Take the seed from `state`; return self."""
        self._seed = int(state["seed"])
        return self


class Chances(ABC):
    """Chance of each candidate to be the next one.

    open: bool [Q, D], true for candidates that have no place yet; the caller updates it
    """

    def __init__(self, scores: Floats) -> None:
        self.open: Bools = scores > -np.inf

    @abstractmethod
    def of(self, place: int) -> Doubles:
        """Return the chance of each candidate to get this place (from 0): float64 [Q, D], 0 for candidates not open."""
