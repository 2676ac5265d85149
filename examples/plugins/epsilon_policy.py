"""`epsilon-places`: shows another good candidate at a place now and then, and tells how probable each slate is."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Bools, Dataset, Floats, Ints, Options, Pool, QueryBatch, Reranker, State, kernels


class EpsilonPlacesOptions(Options):
    """Options of `epsilon-places`."""

    epsilon: float = Field(0.1, gt=0, lt=1)
    """Probability that a place goes to a candidate drawn evenly, instead of to the best candidate that is left."""
    depth: int = Field(20, ge=2)
    """Number of best candidates among which it draws; the others follow in order."""


class EpsilonPlaces(Reranker):
    """Epsilon-greedy policy: a place shows the best or, at times, any of the first `depth` candidates not yet shown."""

    name = "epsilon-places"
    fuses = False
    stochastic = True
    Config = EpsilonPlacesOptions
    config: EpsilonPlacesOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> EpsilonPlaces:
        """Draw the seed of all slates; return self."""
        self._seed = int(rng.integers(2**63))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Draw the first n places; the other candidates follow in their order."""
        order, left = self._ranked(pool)
        final = np.full(pool.ids.shape, np.nan, np.float32)
        np.put_along_axis(final, order, -np.arange(order.shape[1], dtype=np.float32)[None], axis=1)
        rows = np.arange(len(queries))
        places = min(n, left.shape[1])
        assert queries.ids is not None  # a policy is asked with the names of its requests
        draws = kernels.keyed_draws(queries.ids, np.arange(2 * places), self._seed)
        for place in range(places):
            probabilities = self._probabilities(left)
            explores = draws[:, 2 * place] < self.config.epsilon
            nth = (draws[:, 2 * place + 1] * left.sum(axis=1)).astype(np.int64) + 1
            drawn = (np.cumsum(left, axis=1) == nth[:, None]).argmax(axis=1)
            chosen = np.where(explores, drawn, probabilities.argmax(axis=1))
            some = np.flatnonzero(left.any(axis=1))
            final[some, order[some, chosen[some]]] = places - place
            left[rows, chosen] = False
        return pool.ranked(final)

    def propensities(self, queries: QueryBatch, pool: Pool, ids: Ints) -> Floats:
        """Return the probability of each id, given the ids before it in the slate: float32 [Q, n].

        After the best `depth` candidates it is 1 for the next one in order, and 0 for all others.
        """
        order, left = self._ranked(pool)
        ranked = np.take_along_axis(pool.ids, order, axis=1)
        rest = np.take_along_axis(pool.valid, order, axis=1)
        rest[:, : left.shape[1]] = False
        result = np.zeros(ids.shape, np.float32)
        for place in range(ids.shape[1] if ranked.size else 0):
            here = ranked == ids[:, [place]]
            certain = rest & (np.cumsum(rest, axis=1) == 1) & ~left.any(axis=1, keepdims=True)
            result[:, place] = (here[:, : left.shape[1]] * self._probabilities(left)).sum(axis=1)
            result[:, place] += (here & certain).sum(axis=1)
            left &= ~here[:, : left.shape[1]]
            rest &= ~here
        return result

    def state(self) -> State:
        """Return the seed of all slates."""
        return {"seed": np.array(self._seed)}

    def restore(self, state: State) -> EpsilonPlaces:
        """Take the seed from `state`; return self."""
        self._seed = int(state["seed"])
        return self

    def _ranked(self, pool: Pool) -> tuple[Ints, Bools]:
        """Return (columns, valid): the columns of the pool, int32 [Q, K], best first, and which are candidates.

        `valid`, bool [Q, depth], is true for candidates and false for padding.
        """
        order = kernels.order(pool.fused())
        return order, np.take_along_axis(pool.valid, order, axis=1)[:, : self.config.depth]

    def _probabilities(self, left: Bools) -> Floats:
        """Return the probability of each candidate to be next: float32, shape of `left`, true if not yet shown."""
        best = left & (np.cumsum(left, axis=1) == 1)
        evenly = left / np.maximum(left.sum(axis=1, keepdims=True), 1)
        return ((1 - self.config.epsilon) * best + self.config.epsilon * evenly).astype(np.float32)
