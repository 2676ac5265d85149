"""Normalisers: common scales for scores of different models, computed in each row over candidates with an opinion."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Floats, Normaliser, Options, kernels


class ZScore(Normaliser):
    """Scale with mean 0 and standard deviation 1; a constant row becomes 0."""

    name = "zscore"

    def scale(self, values: Floats) -> Floats:
        """Compute (x - mean) / standard deviation in each row."""
        return kernels.zscore(values)


class MinMax(Normaliser):
    """Scale from 0 for the lowest to 1 for the highest; a constant row becomes 1."""

    name = "min-max"

    def scale(self, values: Floats) -> Floats:
        """Compute (x - min) / (max - min) in each row."""
        return kernels.min_max(values)


class Rank(Normaliser):
    """Scale by rank, evenly spaced from 1 for the best to 1/n for the last of n; ties are ranked in id order."""

    name = "rank"

    def scale(self, values: Floats) -> Floats:
        """Compute 1 - (rank - 1) / n for n candidates with an opinion in the row."""
        return (1 - (kernels.ranks(values) - 1) / _n_opinions(values)).astype(np.float32)


class EmpiricalCDF(Normaliser):
    """Share of the row's candidates that do not score higher; like `rank`, but tied candidates stay tied."""

    name = "ecdf"

    def scale(self, values: Floats) -> Floats:
        """Compute F(x) = |{y <= x}| / n over the n scores y of the row."""
        order = kernels.order(values)
        best_first = np.take_along_axis(values, order, axis=1)
        # Tied candidates all get the rank of the first of them, since only those before it are better.
        begins = np.ones(values.shape, bool)
        begins[:, 1:] = best_first[:, 1:] != best_first[:, :-1]
        better = np.maximum.accumulate(np.where(begins, np.arange(values.shape[1]), 0), axis=1)
        shares = np.empty(values.shape, np.float32)
        np.put_along_axis(shares, order, (1 - better / _n_opinions(values)).astype(np.float32), axis=1)
        return np.where(np.isnan(values), np.float32(np.nan), shares)


class SoftmaxConfig(Options):
    """Options of `softmax`: the temperature, by which scores are divided."""

    temperature: float = Field(1.0, gt=0)
    """Divisor of the z-scores: below 1 the first places gain weight, above 1 all candidates come closer together."""


class Softmax(Normaliser):
    """Distribution over the candidates: exp(z / temperature) over its sum in the row, where z are z-scores.

    It uses z-scores because scores have no common unit: raw ones would make the distribution of one model a single
    point and that of another flat.
    """

    name = "softmax"
    Config = SoftmaxConfig
    config: SoftmaxConfig

    def scale(self, values: Floats) -> Floats:
        """Compute shares of the candidates, which sum to 1 in each row that has an opinion."""
        z = kernels.zscore(values) / self.config.temperature
        odds = np.exp(z - np.fmax.reduce(z, axis=1, keepdims=True, initial=-np.inf))
        total = np.nansum(odds, axis=1, keepdims=True, dtype=np.float64)
        return (odds / np.where(total > 0, total, 1)).astype(np.float32)


class Raw(Normaliser):
    """Scores as they are, for models whose scores share a unit."""

    name = "none"

    def scale(self, values: Floats) -> Floats:
        """Return the scores unchanged."""
        return values


def _n_opinions(values: Floats) -> Floats:
    """Count the opinions of each row, at least 1: float32 [Q, 1]."""
    return np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1).astype(np.float32)
