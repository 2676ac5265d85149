"""Fusion with fixed weights: weighted sums of normalised scores, and reciprocal ranks."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Floats, Options, Pool, QueryBatch, Reranker, kernels
from hybridrec_fusion.columns import Missing, Normaliser, normalised, total

Weights = dict[str, float]


class WeightedConfig(Options):
    """How the columns are brought to one scale and weighed."""

    weights: Weights = Field(default_factory=dict)
    """Label -> weight; a column that is not named has weight 0. Empty: every column has weight 1."""
    segments: dict[str, Weights] = Field(default_factory=dict)
    """Other weights for the queries of a segment, for example `{tags: {tag-fallback: 1}}`."""
    normalise: Normaliser = "zscore"
    """Scale of each column within its row: zscore, min-max (0 to 1), rank (1 for the best) or none."""
    missing: Missing = "lowest"
    """What a candidate gets from a model without an opinion on it: that model's lowest or mean value in the row."""


class Weighted(Reranker):
    """Weighted sum of normalised scores (CombSUM with weights; Fox and Shaw 1994)."""

    name = "weighted"
    Config = WeightedConfig
    config: WeightedConfig
    targets = ("items", "tags")

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Sum of weight times normalised column."""
        return pool.ranked(total(pool, self.contributions(queries, pool)))

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Weight times normalised column."""
        segments = queries.segments()
        parts = {}
        for label, values in normalised(pool, self.config.normalise, self.config.missing).items():
            weight = np.full(len(queries), _weight(self.config.weights, label), np.float32)
            for segment, weights in self.config.segments.items():
                weight[segments == segment] = _weight(weights, label)
            parts[label] = weight[:, None] * values
        return parts


class ReciprocalRankConfig(Options):
    """How ranks count."""

    weights: Weights = Field(default_factory=dict)
    """Label -> weight; a column that is not named has weight 0. Empty: every column has weight 1."""
    offset: float = Field(60.0, gt=0)
    """The constant added to every rank; larger ones flatten the difference between the first places."""


class ReciprocalRank(Reranker):
    """Sum of weight / (offset + rank) over the columns with an opinion (Cormack, Clarke, Buettcher 2009)."""

    name = "rrf"
    Config = ReciprocalRankConfig
    config: ReciprocalRankConfig
    targets = ("items", "tags")

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Reciprocal rank fusion; no opinion adds nothing."""
        return pool.ranked(total(pool, self.contributions(queries, pool)))

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Weight / (offset + rank)."""
        parts = {}
        for label, values in pool.columns.items():
            share = _weight(self.config.weights, label) / (self.config.offset + kernels.ranks(values))
            parts[label] = np.nan_to_num(share, nan=0.0)
        return parts


def _weight(weights: Weights, label: str) -> float:
    return weights.get(label, 0.0) if weights else 1.0
