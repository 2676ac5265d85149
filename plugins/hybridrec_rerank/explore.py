"""Exploration: some places of every slate are reserved for items with hardly any users."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, Longs, Options, Pool, QueryBatch, Reranker, State, kernels
from hybridrec_rerank.pool_order import placed


class ExploreOptions(Options):
    """Options of `explore`: the places reserved for new items, and the definition of a new item."""

    share: float = Field(0.1, gt=0, le=1)
    """Share of the slate reserved for new items, spread evenly: 0.2 is every fifth place."""
    places: list[Annotated[int, Field(ge=1)]] | None = Field(None, min_length=1)
    """Places of the slate, from 1, reserved for new items, instead of `share`."""
    most: int = Field(0, ge=0)
    """Largest number of training users with which an item counts as new."""


class Explore(Reranker):
    """Re-ranker that guarantees the best new candidates the places reserved for new items, or better places.

    The j-th best new candidate by the final score is moved up to the j-th of these places, unless it already ranks
    higher; nothing is drawn at random, so the same query has the same slate. New items must be among the candidates: a
    generator that scores items by their features (`content`, `lightfm`) or their time (`newest`) proposes them. If
    there are too few of them, the other candidates take the reserved places.
    """

    name = "explore"
    fuses = False
    Config = ExploreOptions
    config: ExploreOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Mark the new items; return self."""
        users = np.asarray(data.interactions.matrix(binary=True).sum(axis=0)).ravel()
        self._new = users <= self.config.most
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Move new candidates up to the reserved places; the others keep their order around them."""
        final = pool.fused()
        new = pool.valid & self._new[pool.ids] & ~np.isnan(final)
        places = self._places(n)
        number = np.nan_to_num(kernels.ranks(np.where(new, final, np.float32(np.nan))), nan=0).astype(np.int64)
        lifts = new & (number <= len(places))
        wanted = np.where(lifts, np.append(0, places)[np.where(lifts, number, 0)], 0)
        return placed(pool, final, np.where(wanted < kernels.ranks(final), wanted, 0))

    def _places(self, n: int) -> Longs:
        """Return the places among the first n that are reserved for new items: int64, from 1, ascending."""
        if self.config.places is not None:
            places = np.unique(self.config.places)
        else:
            places = np.unique(np.floor(np.arange(1, n + 1) / self.config.share + 1e-9).astype(np.int64))
        return places[places <= n].astype(np.int64)

    def state(self) -> State:
        """Return the mask of new items."""
        return {"new": self._new}

    def restore(self, state: State) -> Self:
        """Take the mask of new items from `state`; return self."""
        self._new = state["new"]
        return self
