"""Columns of different models on one scale, what stands in for a missing opinion, and their sum."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrec import TARGETS, Bools, Floats, Normaliser, Pool, QueryBatch, Reranker

Missing: TypeAlias = Literal["lowest", "mean"]
Weighing: TypeAlias = tuple[Floats, dict[str, Floats]]
"""Weights, float32 [L, Q], and the L columns they belong to: label -> float32 [Q, K], without NaN."""
_CACHED = 1 << 15
"""Candidates of a part that stays in the processor's nearest cache."""


def normalised(pool: Pool, normaliser: Normaliser, missing: Missing) -> dict[str, Floats]:
    """Every column on a common scale, row by row: label -> float32 [Q, K] without NaN.

    A candidate without an opinion gets the lowest (or the mean) normalised value that the same model
    gave in the same row, never a value of another model; a row without any opinion is all 0, so that
    the model does not move it. They are kept with the pool, which may be weighed again.
    """
    scale = (normaliser.name, normaliser.config.model_dump_json(), missing)
    return {
        label: pool.once(("scaled", label), scale, partial(_scaled, normaliser, values, missing))
        for label, values in pool.columns.items()
    }


def weighed(weights: Floats, columns: dict[str, Floats]) -> dict[str, Floats]:
    """Weight times normalised column: label -> float32 [Q, K]; `weights` is float32 [L, Q], in their order."""
    return {label: share[:, None] * column for share, (label, column) in zip(weights, columns.items(), strict=True)}


def heard(weights: Floats, columns: Iterable[str], pool: Pool) -> Floats:
    """The weights, float32 [L, Q], of these columns, where one of the weighed models has an opinion on the query.

    Where none has, all that have one count alike: their order is better than none.
    """
    speaks = np.stack([pool.once(("speaks", label), None, partial(_speaks, pool.columns[label])) for label in columns])
    unheard = ~((weights != 0) & speaks).any(axis=0)
    return np.where(unheard, np.float32(1), weights)


class SumOfColumns(Reranker):
    """A fusion whose final score is the sum of what each column contributes."""

    targets = TARGETS
    fuses = True

    @abstractmethod
    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Label -> float32 [Q, K], without NaN."""

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Add the contributions up."""
        final = np.zeros(pool.ids.shape, np.float32)
        for part in self.contributions(queries, pool).values():
            final += part
        return pool.ranked(final)


class WeightedColumns(SumOfColumns):
    """A fusion whose final score is a sum of columns, each times its weight for the query."""

    @abstractmethod
    def weighing(self, queries: QueryBatch, pool: Pool) -> Weighing:
        """The weights and the columns."""

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Weight times column."""
        return weighed(*self.weighing(queries, pool))

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Add the contributions up, a part that stays in the processor's nearest cache after the other."""
        weights, named = self.weighing(queries, pool)
        columns = list(named.values())
        shares = weights[:, :, None]
        if (weights == weights[:, :1]).all():  # one long loop, not one for each row
            shares = np.broadcast_to(shares[:, :1], shares.shape)
        final = np.empty(pool.ids.shape, np.float32)
        for rows in _parts(pool.ids):
            np.multiply(shares[0, rows], columns[0][rows], out=final[rows])
            for share, column in zip(shares[1:], columns[1:], strict=True):
                final[rows] += share[rows] * column[rows]
        final.reshape(-1)[pool.padding] = np.nan
        return pool.ranked(final)


def _speaks(values: Floats) -> Bools:
    """bool[Q]: the queries on which a column has an opinion."""
    speaks: Bools = np.logical_or.reduce(~np.isnan(values), axis=1)
    return speaks


def _scaled(normaliser: Normaliser, values: Floats, missing: Missing) -> Floats:
    scaled = np.empty(values.shape, np.float32)
    for rows in _parts(values):  # a row is scaled by itself
        scaled[rows] = _filled(normaliser.scale(values[rows]), missing)
    return scaled


def _filled(values: Floats, missing: Missing) -> Floats:
    unknown = np.isnan(values)
    if missing == "lowest":
        fill = np.fmin.reduce(values, axis=1, keepdims=True, initial=np.inf)
    else:
        sums = values.sum(axis=1, keepdims=True, where=~unknown, dtype=np.float64)
        fill = sums / np.maximum((~unknown).sum(axis=1, keepdims=True), 1)
    fill[unknown.all(axis=1)] = 0
    return np.where(unknown, fill, values)


def _parts(values: NDArray[Any]) -> Iterator[slice]:
    """Rows of [Q, K] values in parts that stay in the processor's nearest cache one after the other."""
    step = max(_CACHED // max(values.shape[1], 1), 1)
    return (slice(start, start + step) for start in range(0, len(values), step))
