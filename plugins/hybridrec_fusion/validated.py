"""Fusion with weights found on validation queries, per segment, behind a guard that judges them out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    Doubles,
    Floats,
    Ints,
    Longs,
    NormaliserUse,
    Options,
    Pool,
    QueryBatch,
    Sparse,
    State,
    kernels,
)
from hybridrec_fusion.columns import Missing, SumOfColumns, normalised, weighed
from hybridrec_fusion.normalisers import ZScore
from hybridrec_fusion.search import Search

EVERYWHERE = "all"
Starts = Mapping[int, Doubles]


class ValidatedConfig(Options):
    """What the weights are chosen for, and when a segment gets weights of its own."""

    k: int = Field(20, ge=1)
    """Cut-off of the nDCG that the weights maximise."""
    normalise: NormaliserUse = Field(default_factory=ZScore, json_schema_extra={"default": "zscore"})
    """Scale of each column within its row: the name of a normaliser, or `{use: NAME, ...}` with its options."""
    missing: Missing = "lowest"
    """What a candidate gets from a model without an opinion on it: that model's lowest or mean value in the row."""
    min_queries: int = Field(50, ge=1)
    """Fewest validation queries for a segment to get weights of its own."""
    parts: int = Field(5, ge=2)
    """Into how many parts the validation users are cut: weights are found without each part, judged on it, averaged."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a segment, and why.

    weights: float64[L], of the blend, or of the best single column if that was not worse
    single: the column that ranks best alone
    blend_value, single_value: mean nDCG@k of both on users they were not chosen on; NaN if there are too few
    """

    weights: Doubles
    single: int
    blend_value: float
    single_value: float

    @property
    def guarded(self) -> bool:
        """Whether the best single column stands in for the blend."""
        return self.blend_value <= self.single_value


class Validated(SumOfColumns):
    """Weighted sum of normalised scores, the weights found by coordinate ascent on validation queries.

    The engine gives scores of components that have not seen the validation queries. Their users are cut
    into parts. Without each part in turn, a search starts at the best single column and moves one weight
    at a time as long as the mean nDCG@k rises, with ever smaller steps; the part that was left out then
    judges what was found, and the column that was best alone. The blend takes the mean of the weights,
    overall and in each segment with enough queries; where it was not better than the best single column
    on the users left out, that column ranks alone.
    """

    name = "validated"
    version = "2"
    Config = ValidatedConfig
    config: ValidatedConfig
    learns = True

    labels: tuple[str, ...]
    choices: dict[str, Choice]
    """By segment; "all" holds for segments that are not named."""

    def learn(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Search on all queries first, then on each segment with enough of them; without any, all weights are 1."""
        columns = normalised(pool, self.config.normalise, self.config.missing)
        self.labels = tuple(columns)
        wanted = np.diff(truth.indptr)
        judged = (wanted > 0) & (weights > 0)
        if not judged.any():
            self.choices = {EVERYWHERE: Choice(np.ones(len(columns)), 0, np.nan, np.nan)}
            return self
        relevant = kernels.hits(pool.ids, truth)
        search = Search(np.stack(list(columns.values())), pool.valid, relevant, wanted, weights, self.config.k)
        parts = np.unique(units, return_inverse=True)[1] % self.config.parts
        everywhere, found = _cross_fit(search.part(judged), parts[judged])
        self.choices = {EVERYWHERE: everywhere}
        segments = queries.segments()
        names = np.unique(segments[judged])
        for segment in names if len(names) > 1 else ():  # the only segment is all there is
            inside = judged & (segments == segment)
            if inside.sum() >= self.config.min_queries:
                self.choices[str(segment)], _ = _cross_fit(search.part(inside), parts[inside], found)
        return self

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Weight times normalised column."""
        columns = normalised(pool, self.config.normalise, self.config.missing)
        segments = queries.segments()
        chosen = np.tile(self.choices[EVERYWHERE].weights, (len(queries), 1))
        for segment, choice in self.choices.items():
            chosen[segments == segment] = choice.weights
        return weighed(chosen.astype(np.float32).T, {label: columns[label] for label in self.labels}, pool)

    def state(self) -> State:
        """Labels, and what was chosen for each segment: weights [segments, labels], singles, values [segments, 2]."""
        choices = self.choices.values()
        return {
            "labels": np.array(self.labels),
            "segments": np.array(list(self.choices)),
            "weights": np.stack([choice.weights for choice in choices]),
            "singles": np.array([choice.single for choice in choices]),
            "values": np.array([[choice.blend_value, choice.single_value] for choice in choices]),
        }

    def restore(self, state: State) -> Self:
        """The way back from `state`."""
        self.labels = tuple(str(label) for label in state["labels"])
        names = [str(segment) for segment in state["segments"]]
        rows = zip(state["weights"], state["singles"], state["values"], strict=True)
        choices = [Choice(weights, int(single), float(b), float(s)) for weights, single, (b, s) in rows]
        self.choices = dict(zip(names, choices, strict=True))
        return self

    def summary(self) -> dict[str, Any]:
        """Segment -> weights by label, the best single column, nDCG@k of both out of sample, and who of them ranks."""
        return {segment: self._summary(choice) for segment, choice in self.choices.items()}

    def notes(self) -> list[str]:
        """Where the guard took over."""
        return [
            f"in segment '{segment}' the blend was no better than '{self.labels[choice.single]}' on validation users "
            f"it was not learned on (nDCG@{self.config.k} {choice.blend_value:.4f}, {choice.single_value:.4f}), "
            f"which ranks alone there"
            for segment, choice in self.choices.items()
            if choice.guarded
        ]

    def _summary(self, choice: Choice) -> dict[str, Any]:
        values = {"blend": choice.blend_value, "best_single": choice.single_value}
        return {
            "weights": {label: round(float(w), 4) for label, w in zip(self.labels, choice.weights, strict=True)},
            "best_single": self.labels[choice.single],
            f"validation_ndcg@{self.config.k}": {
                name: None if np.isnan(value) else round(value, 5) for name, value in values.items()
            },
            "guarded": choice.guarded,
        }


def _cross_fit(search: Search, parts: Longs, starts: Starts = MappingProxyType({})) -> tuple[Choice, Starts]:
    """Weights found without each part of the queries and judged on it, and which weights these were.

    parts: int64[Q], the part of each query
    starts: part -> where the search without it may start, beside the single columns
    """
    alone = np.eye(len(search.columns))
    best = search.best_single()
    numbers = np.unique(parts)
    if len(numbers) < 2:  # nobody is left to judge
        return Choice(search.climb(list(starts.values())), best, np.nan, np.nan), {}
    blend, single = np.zeros(len(parts)), np.zeros(len(parts))
    found: dict[int, Doubles] = {}
    for number in numbers:
        inside = parts == number
        rest, left_out = search.part(~inside), search.part(inside)
        found[number] = rest.climb([starts[number]] if number in starts else [])
        blend[inside] = left_out.gains(found[number])
        single[inside] = left_out.gains(alone[rest.best_single()])
    values = search.mean(blend), search.mean(single)
    mean = np.mean(list(found.values()), axis=0)
    weights = alone[best] if values[0] <= values[1] else mean / mean.max()
    return Choice(weights, best, *values), found
