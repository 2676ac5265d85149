"""`personal-popularity`: the items that the user had before, most often first."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import DAY, Dataset, DenseModel, Doubles, Floats, Options, QueryBatch, State, Target


class PersonalPopularityOptions(Options):
    """Options of `personal-popularity`: the time in which interactions lose half of their weight."""

    half_life: float | None = Field(90.0, gt=0)
    """Number of days before the query at which an interaction counts half; null, or data without times, counts all
    alike."""


class PersonalPopularity(DenseModel):
    """Recommends what the user had before, by how often and how lately: the baseline of repeat consumption.

    The score of an item is the sum of 2^(-age / half_life) over its interactions in the query's history (P-TopFreq of
    Li et al., A next basket recommendation reality check, TOIS 2023, with a decay). The age is counted from the time of
    the query, or from its latest interaction if it has no time. Other items get no opinion, so it is of use only in
    pipelines with `seen: allow`. Nothing is learned: any history is served.
    """

    name = "personal-popularity"
    Config = PersonalPopularityOptions
    config: PersonalPopularityOptions
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Return self: there is nothing to learn, since all that counts is in the query."""
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the decayed counts of the items in each history, NaN for all others: float32 [Q, I]."""
        history = queries.history
        cells = history.rows.astype(np.int64) * history.width + history.ids
        had, first = np.unique(cells, return_inverse=True)
        counts = np.bincount(first, self._decay(queries), len(had))
        scores = np.full((len(queries), history.width), np.nan, np.float32)
        scores.ravel()[had] = counts
        return scores

    def state(self) -> State:
        """Return no arrays, as nothing is learned."""
        return {}

    def restore(self, state: State) -> Self:
        """Return self: there is nothing to restore."""
        return self

    def _decay(self, queries: QueryBatch) -> Doubles:
        """Return the weight of each interaction: float64, parallel to `queries.history.ids`; 1 without a time."""
        history = queries.history
        latest = history.latest()
        if self.config.half_life is None or history.times is None or latest is None:
            return np.ones(len(history.ids))
        now = latest if queries.times is None else np.where(np.isnan(queries.times), latest, queries.times)
        age = (now[history.rows] - history.times) / (self.config.half_life * DAY)
        return np.exp2(-np.maximum(np.nan_to_num(age), 0.0))
