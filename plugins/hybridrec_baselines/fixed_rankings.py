"""Rankings that are the same for every query: newest first, random, and a given list."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, DenseModel, Floats, Options, QueryBatch, State, Target


class OneRanking(DenseModel):
    """Base of components with one ranking of the items for every query.

    `fit` sets `_scores`, float32 [I], NaN for items without an opinion.
    """

    targets = ("items",)

    _scores: Floats

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the same row of scores for every query: float32 [Q, I]."""
        return np.tile(self._scores, (len(queries), 1))

    def state(self) -> State:
        """Return the score of each item."""
        return {"items": self._scores}

    def restore(self, state: State) -> Self:
        """Take the score of each item from `state`; return self."""
        self._scores = state["items"]
        return self


class Newest(OneRanking):
    """Items by release time (`item_times`), newest first; items without a time come last.

    The score is the share of the distinct times that are not later, from 0 to 1; items without a time score 0.
    """

    name = "newest"

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Rank the items by time and return self; without `item_times` all scores are equal."""
        times = np.full(len(data.items), np.nan) if data.items.times is None else data.items.times
        distinct = np.unique(times[~np.isnan(times)])
        older = np.searchsorted(distinct, times) + 1
        self._scores = np.where(np.isnan(times), 0, older / max(len(distinct), 1)).astype(np.float32)
        return self


class Random(DenseModel):
    """A random ranking, which is drawn in `fit` and is the same for every query: the weakest baseline."""

    name = "random"
    stochastic = True

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Draw a ranking of the ids of each target; return self."""
        self._scores: State = {
            target: rng.permutation(np.linspace(0, 1, data.size(target), dtype=np.float32)) for target in data.targets
        }
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the same row of scores for every query: float32 [Q, N]."""
        return np.tile(self._scores[target], (len(queries), 1))

    def state(self) -> State:
        """Return the scores of the ids of each target."""
        return self._scores

    def restore(self, state: State) -> Self:
        """Take the scores of the ids of each target from `state`; return self."""
        self._scores = state
        return self


class ListedOptions(Options):
    """Options of `listed`: the items that it recommends to everybody."""

    ids: list[str] = Field(min_length=1, examples=[["first", "second"]])
    """External ids of the items, best first."""


class Listed(OneRanking):
    """A list made by hand, in its order, the same for every query; it has no opinion on other items.

    The score of an item is the number of places from it to the end of the list, its own included.
    """

    name = "listed"
    Config = ListedOptions
    config: ListedOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Look up the items of the list and return self; raises DataError for an id that the data does not have."""
        codes = data.items.vocabulary.encode_known(self.config.ids, self.name)
        self._scores = np.full(len(data.items), np.nan, np.float32)
        self._scores[codes] = np.arange(len(codes), 0, -1)
        return self
