"""Exploration: some places of every slate are for items that hardly anybody has had yet."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, Longs, Options, Pool, QueryBatch, Reranker, State, kernels
from hybridrec_rerank.order import fused, placed


class ExploreOptions(Options):
    """Options of `explore`."""

    share: float = Field(0.1, gt=0, le=1)
    """Share of the slate that is for new items, spread evenly: 0.2 is every fifth place."""
    places: list[Annotated[int, Field(ge=1)]] | None = Field(None, min_length=1)
    """These places of the slate, from 1, in place of `share`."""
    most: int = Field(0, ge=0)
    """An item is new if at most so many training users have it."""


class Explore(Reranker):
    """The best new candidates stand no lower than the places that are for new items.

    The j-th best new candidate by the final score is lifted to the j-th of these places, unless it stands
    higher already; nothing is drawn at random, so the same query has the same slate. New items must be
    among the candidates: a generator that knows items by their features (`content`, `lightfm`) or their
    time (`newest`) proposes them. Where there are too few, the others close up.
    """

    name = "explore"
    fuses = False
    Config = ExploreOptions
    config: ExploreOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Who is new."""
        users = np.asarray(data.interactions.matrix(binary=True).sum(axis=0)).ravel()
        self._new = users <= self.config.most
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The new candidates lifted, the others around them in their order."""
        final = fused(pool, self.name)
        new = pool.valid & self._new[pool.ids] & ~np.isnan(final)
        places = self._places(n)
        number = np.nan_to_num(kernels.ranks(np.where(new, final, np.float32(np.nan))), nan=0).astype(np.int64)
        lifts = new & (number <= len(places))
        wanted = np.where(lifts, np.append(0, places)[np.where(lifts, number, 0)], 0)
        return placed(pool, final, np.where(wanted < kernels.ranks(final), wanted, 0))

    def _places(self, n: int) -> Longs:
        """The places for new items within the first n, from 1, ascending."""
        if self.config.places is not None:
            places = np.unique(self.config.places)
        else:
            places = np.unique(np.floor(np.arange(1, n + 1) / self.config.share + 1e-9).astype(np.int64))
        return places[places <= n].astype(np.int64)

    def state(self) -> State:
        """Who is new."""
        return {"new": self._new}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._new = state["new"]
        return self
