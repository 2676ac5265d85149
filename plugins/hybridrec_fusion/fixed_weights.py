"""Fusion with fixed weights: sums of normalised scores, of reciprocal ranks, of votes."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import ColumnWeights, Floats, NormaliserUse, Options, Pool, QueryBatch
from hybridrec_fusion.normalisers import MinMax, ZScore
from hybridrec_fusion.pool_columns import (
    Missing,
    SumOfColumns,
    Weighing,
    WeightedColumns,
    normalised,
    weigh_unscored_equally,
    weighed,
)


class WeightedConfig(Options):
    """Options of `weighted`: the scale and the weights of the columns."""

    weights: ColumnWeights = Field(default_factory=dict)
    """Column, or pattern such as `content.*`, -> weight; a column that is not named has weight 0. If empty, each has
    weight 1."""
    segments: dict[str, ColumnWeights] = Field(default_factory=dict)
    """Weights that replace `weights` for the queries of a segment, for example `{tags: {tag-fallback: 1}}`."""
    normalise: NormaliserUse = Field(default_factory=ZScore, json_schema_extra={"default": "zscore"})
    """Scale of each column within its row: the name of a normaliser, or `{use: NAME, ...}` with its options."""
    missing: Missing = "lowest"
    """Value of a candidate on which a model has no opinion: that model's lowest or mean value in the row."""


class CombMNZConfig(WeightedConfig):
    """Options of `combmnz`: those of `weighted`, on a scale that starts at 0."""

    normalise: NormaliserUse = Field(default_factory=MinMax, json_schema_extra={"default": "min-max"})
    """Scale of each column within its row: the name of a normaliser, or `{use: NAME, ...}` with its options."""


class Weighted(WeightedColumns):
    """Weighted sum of normalised scores; without weights it is CombSUM (Fox and Shaw 1994)."""

    name = "weighted"
    Config = WeightedConfig
    config: WeightedConfig

    def weighing(self, queries: QueryBatch, pool: Pool) -> Weighing:
        """Return the weights of each query's segment, float32 [L, Q], and the L normalised columns, float32 [Q, K]."""
        return _weighing(self.config, queries, pool)


class CombMNZ(SumOfColumns):
    """Weighted sum of normalised scores, times the number of generators that proposed the candidate.

    Candidates that several generators propose thereby rise above those that only one proposes (Fox and Shaw 1994).
    Normalised scores should not be negative, so the scale is min-max by default.
    """

    name = "combmnz"
    Config = CombMNZConfig
    config: CombMNZConfig

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return label -> float32 [Q, K]: weight times normalised score times number of proposing generators."""
        proposals = np.zeros(pool.ids.shape, np.float32)
        for generator in pool.generators:
            proposals += pool.proposed_by(generator)
        return {label: proposals * column for label, column in weighed(*_weighing(self.config, queries, pool)).items()}


class BordaConfig(Options):
    """Options of `borda`: the weights of the votes."""

    weights: ColumnWeights = Field(default_factory=dict)
    """Column, or pattern such as `content.*`, -> weight; a column that is not named has weight 0. If empty, each has
    weight 1."""


class Borda(SumOfColumns):
    """Borda count: each column gives points to the n candidates of a query, and the weighted points are summed.

    The first candidate gets n points, the second n - 1, and so on; all points are divided by n. Candidates on which a
    column has no opinion share its remaining points evenly (Aslam and Montague 2001).
    """

    name = "borda"
    Config = BordaConfig
    config: BordaConfig

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return label -> float32 [Q, K]: the column's weight times its points, divided by the number of candidates."""
        voters = np.maximum(pool.valid.sum(axis=1, keepdims=True), 1)
        parts, weights = {}, _weights(self.config.weights, pool)
        for label, values in pool.columns.items():
            unranked = voters - (~np.isnan(values)).sum(axis=1, keepdims=True)
            points = np.where(np.isnan(values), (unranked + 1) / 2, voters - pool.ranks(label) + 1)
            parts[label] = (weights[label] * points / voters).astype(np.float32)
        return parts


class ReciprocalRankConfig(Options):
    """Options of `rrf`: the weights and the offset of ranks."""

    weights: ColumnWeights = Field(default_factory=dict)
    """Column, or pattern such as `content.*`, -> weight; a column that is not named has weight 0. If empty, each has
    weight 1."""
    offset: float = Field(60.0, gt=0)
    """Constant added to every rank; larger values flatten the difference between the first places."""


class ReciprocalRank(SumOfColumns):
    """Sum of weight / (offset + rank) over the columns with an opinion (Cormack, Clarke, Buettcher 2009)."""

    name = "rrf"
    Config = ReciprocalRankConfig
    config: ReciprocalRankConfig

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return label -> float32 [Q, K]: the column's weight / (offset + rank), 0 without an opinion."""
        offset, weights = np.float32(self.config.offset), _weights(self.config.weights, pool)
        return {label: np.float32(weights[label]) / (offset + pool.ranks(label)) for label in pool.columns}


def _weighing(config: WeightedConfig, queries: QueryBatch, pool: Pool) -> Weighing:
    """Return the weights of each query's segment, float32 [L, Q], and the L normalised columns, float32 [Q, K]."""
    segments = queries.segments() if config.segments else None
    columns = normalised(pool, config.normalise, config.missing)
    weights = np.empty((len(columns), len(queries)), np.float32)
    everywhere = _weights(config.weights, pool)
    by_segment = {segment: _weights(others, pool) for segment, others in config.segments.items()}
    for place, label in enumerate(columns):
        weights[place] = everywhere[label]
        for segment, others in by_segment.items():
            weights[place, segments == segment] = others[label]
    return weigh_unscored_equally(weights, columns, pool), columns


def _weights(weights: ColumnWeights, pool: Pool) -> dict[str, float]:
    """Return label -> weight: a column's own weight, else that of the last pattern that names it, else 0.

    Without any `weights` all columns have weight 1.
    """
    if not weights:
        return dict.fromkeys(pool.columns, 1.0)
    named = {label: weight for pattern, weight in weights.items() for label in pool.matching(pattern)}
    return {label: weights.get(label, named.get(label, 0.0)) for label in pool.columns}
