"""Fusion with weights found on validation queries, per segment, never worse there than the best single part."""

from __future__ import annotations

from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import (
    Bools,
    Doubles,
    Floats,
    NormaliserUse,
    Options,
    Pool,
    QueryBatch,
    Reranker,
    Sparse,
    State,
    kernels,
)
from hybridrec_fusion.columns import Missing, normalised, total
from hybridrec_fusion.normalisers import ZScore

EVERYWHERE = "all"
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05)


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


class Validated(Reranker):
    """Weighted sum of normalised scores, the weights found by coordinate ascent on validation queries.

    The engine gives scores of components that have not seen the validation queries. The search starts
    at the best single column and moves one weight at a time as long as the mean nDCG@k rises, with
    ever smaller steps; so on the validation queries it cannot be worse than the best single column,
    in any segment that has enough of them.
    """

    name = "validated"
    Config = ValidatedConfig
    config: ValidatedConfig
    targets = ("items", "tags")
    learns = True

    labels: tuple[str, ...]
    weights: dict[str, Doubles]
    """Segment -> float64, parallel to `labels`; "all" holds for segments that are not named."""

    def learn(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles) -> Self:
        """Search on all queries first, then on each segment with enough of them; without any, all weights are 1."""
        judged = (np.diff(truth.indptr) > 0) & (weights > 0)
        columns = normalised(pool, self.config.normalise, self.config.missing)
        self.labels = tuple(columns)
        search = _Search(
            np.stack(list(columns.values())),
            pool.valid,
            kernels.hits(pool.ids, truth),
            np.diff(truth.indptr),
            weights,
            self.config.k,
        )
        everywhere = search.part(judged).climb([]) if judged.any() else np.ones(len(columns))
        self.weights = {EVERYWHERE: everywhere}
        segments = queries.segments()
        for segment in np.unique(segments[judged]):
            inside = judged & (segments == segment)
            if inside.sum() >= self.config.min_queries:
                self.weights[str(segment)] = search.part(inside).climb([everywhere])
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Weighted sum, with the weights of each query's segment."""
        return pool.ranked(total(pool, self.contributions(queries, pool)))

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Weight times normalised column."""
        columns = normalised(pool, self.config.normalise, self.config.missing)
        segments = queries.segments()
        chosen = np.broadcast_to(self.weights[EVERYWHERE], (len(queries), len(self.labels))).copy()
        for segment, weights in self.weights.items():
            chosen[segments == segment] = weights
        shares = chosen.astype(np.float32).T[:, :, None]
        return {label: share * columns[label] for label, share in zip(self.labels, shares, strict=True)}

    def state(self) -> State:
        """Labels, segments and the weights [segments, labels]."""
        return {
            "labels": np.array(self.labels),
            "segments": np.array(list(self.weights)),
            "weights": np.stack(list(self.weights.values())),
        }

    def restore(self, state: State) -> Self:
        """The way back from `state`."""
        self.labels = tuple(str(label) for label in state["labels"])
        names = [str(segment) for segment in state["segments"]]
        self.weights = dict(zip(names, state["weights"], strict=True))
        return self

    def summary(self) -> dict[str, Any]:
        """Segment -> label -> weight."""
        return {
            segment: {label: round(float(w), 4) for label, w in zip(self.labels, weights, strict=True)}
            for segment, weights in self.weights.items()
        }


class _Search:
    """Coordinate ascent on nDCG@k over the rows of a pool.

    columns: float32 [L, Q, K]; relevant: bool [Q, K]; wanted: int[Q], relevant ids in all, found or not.
    """

    def __init__(
        self,
        columns: Floats,
        valid: Bools,
        relevant: Bools,
        wanted: NDArray[np.integer],
        weights: Doubles,
        k: int,
    ) -> None:
        self.columns = columns
        self.valid = valid
        self.relevant = relevant
        self.wanted = wanted
        self.weights = weights
        self.k = k

    def part(self, rows: Bools) -> _Search:
        """The same over the rows at which `rows` is true."""
        if rows.all():
            return self
        parts = (self.valid[rows], self.relevant[rows], self.wanted[rows], self.weights[rows])
        return _Search(self.columns[:, rows], *parts, self.k)

    def climb(self, starts: list[Doubles]) -> Doubles:
        """Weights float64[L], the largest 1, from the best of the single columns and `starts`."""
        starts = [*np.eye(len(self.columns)), *starts]
        values = [self.value(start) for start in starts]
        first = int(np.argmax(values))
        best, score = starts[first], values[first]
        for step in _STEPS:
            improved = True
            while improved:
                improved = False
                for position, move in product(range(len(best)), (step, -step)):
                    trial = best.copy()
                    trial[position] = max(best[position] + move, 0)
                    if not trial.any() or trial[position] == best[position]:
                        continue  # without any weight there is no order
                    value = self.value(trial)
                    if value > score + 1e-9:
                        best, score, improved = trial, value, True
        return best / best.max()

    def value(self, weights: Doubles) -> float:
        """Mean nDCG@k under these weights."""
        final = np.where(self.valid, np.float32(0), np.float32(-np.inf))
        for weight, column in zip(weights.astype(np.float32), self.columns, strict=True):
            if weight:
                final += weight * column
        return float(np.average(kernels.ndcg(final, self.relevant, self.wanted, self.k), weights=self.weights))
