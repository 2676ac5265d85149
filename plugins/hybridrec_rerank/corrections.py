"""Corrections of the final score: against popularity, and in favour of new items."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import DAY, PADDING, DataError, Dataset, Floats, Options, Pool, QueryBatch, Reranker, State, kernels


class PopularityCorrectionOptions(Options):
    """Options of `popularity-correction`: the strength of the correction."""

    strength: float = Field(0.2)
    """Standard deviations of the final score that are subtracted for each standard deviation of log popularity;
    negative values reward popularity."""


class PopularityCorrection(Reranker):
    """Final score minus strength times log popularity, both as z-scores within the query's candidates.

    Popularity is 1 + the number of training users who have the item, on a log scale because it spans orders of
    magnitude.
    """

    name = "popularity-correction"
    fuses = False
    Config = PopularityCorrectionOptions
    config: PopularityCorrectionOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the training users of each item; return self."""
        users = data.interactions.matrix(binary=True).sum(axis=0)
        self._popularity = np.log1p(np.asarray(users, np.float32).ravel())
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank by z(final) - strength z(log popularity)."""
        popularity = np.where(pool.valid, self._popularity[pool.ids], np.float32(np.nan))
        corrected = kernels.zscore(pool.fused()) - self.config.strength * kernels.zscore(popularity)
        return pool.ranked(corrected)

    def state(self) -> State:
        """Return log(1 + users) of each item."""
        return {"popularity": self._popularity}

    def restore(self, state: State) -> Self:
        """Take the popularity of items from `state`; return self."""
        self._popularity = state["popularity"]
        return self


class FreshnessOptions(Options):
    """Options of `freshness`: the boost of a new item, and the time in which half of it is lost."""

    boost: float = Field(0.5, gt=0)
    """Standard deviations of the final score that are added to an item at its release."""
    half_life: float = Field(30.0, gt=0)
    """Number of days after which half of the boost remains."""


class Freshness(Reranker):
    """Final score, as a z-score within the query's candidates, plus boost 2^(-age / half-life) for each item.

    Age is measured at the query's time, or at the release of the newest item if the query has no time. An item released
    after the query counts as new; an item without a time gains nothing.
    """

    name = "freshness"
    fuses = False
    Config = FreshnessOptions
    config: FreshnessOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the release times of items and return self; raises DataError if the data has none."""
        if data.items.times is None:
            raise DataError("freshness: needs the times of items, but this data has none")
        self._times = data.items.times
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank by z(final) + boost 2^(-age / half_life)."""
        return pool.ranked(kernels.zscore(pool.fused()) + self.config.boost * self._novelty(queries, pool))

    def _novelty(self, queries: QueryBatch, pool: Pool) -> Floats:
        """Compute the novelty of the candidates, float32 [Q, K]: 1 for new items, falling towards 0 with age."""
        newest = np.nanmax(self._times, initial=-np.inf)
        asked = np.full(len(queries), np.nan) if queries.times is None else queries.times
        now = np.where(np.isnan(asked), newest, asked)[:, None]
        times = np.where(pool.ids == PADDING, np.nan, self._times[pool.ids])
        age = np.maximum(now - times, 0) / DAY
        return np.nan_to_num(np.exp2(-age / self.config.half_life), nan=0.0).astype(np.float32)

    def state(self) -> State:
        """Return the release times of items."""
        return {"times": self._times}

    def restore(self, state: State) -> Self:
        """Take the release times of items from `state`; return self."""
        self._times = state["times"]
        return self
