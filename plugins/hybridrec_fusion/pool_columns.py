"""Columns of different models on a common scale, with values for missing opinions, and their sum."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrec import EVERY_KIND, Bools, Floats, Normaliser, Pool, QueryBatch, Reranker

Missing: TypeAlias = Literal["lowest", "mean"]
Weighing: TypeAlias = tuple[Floats, dict[str, Floats]]
"""Weights, float32 [L, Q], and the L columns they apply to: label -> float32 [Q, K], without NaN."""
_CACHED = 1 << 15
"""Number of candidates in a block, few enough for the processor's nearest cache."""


def normalised(pool: Pool, normaliser: Normaliser, missing: Missing) -> dict[str, Floats]:
    """Put every column on a common scale, row by row: label -> float32 [Q, K] without NaN.

    A candidate without an opinion gets the lowest (or the mean) normalised value that the same model gave in the
    same row, never a value of another model; a row without any opinion is all 0, so that the model does not change its
    order. The result is cached with the pool, which may be weighted again.
    """
    scale = (normaliser.name, normaliser.config.model_dump_json(), missing)
    scaled = cache(partial(_scaled, normaliser, pool.columns, missing))

    def column(label: str) -> Floats:
        return scaled()[label]  # all columns are scaled at once, if the pool does not know one of them yet

    return {label: pool.cached(("scaled", label), scale, partial(column, label)) for label in pool.columns}


def weighed(weights: Floats, columns: dict[str, Floats]) -> dict[str, Floats]:
    """Multiply the columns by `weights`, float32 [L, Q], in their order: label -> float32 [Q, K]."""
    return {label: share[:, None] * column for share, (label, column) in zip(weights, columns.items(), strict=True)}


def weigh_unscored_equally(weights: Floats, columns: Iterable[str], pool: Pool) -> Floats:
    """Return `weights`, float32 [L, Q], but with 1 everywhere for queries that would otherwise have no order.

    These are the queries for which no column with a weight other than 0 has an opinion on any candidate. An order by
    the columns with weight 0 is better than none.
    """
    speaks = np.stack(
        [pool.cached(("speaks", label), None, partial(_speaks, pool.columns[label])) for label in columns]
    )
    unscored = ~((weights != 0) & speaks).any(axis=0)
    return np.where(unscored, np.float32(1), weights)


class SumOfColumns(Reranker):
    """Fusion whose final score is the sum of the contributions of the columns."""

    targets = (EVERY_KIND,)
    fuses = True

    @abstractmethod
    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return the summand of each column: label -> float32 [Q, K], without NaN."""

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Set `final` to the sum of the contributions."""
        final = np.zeros(pool.ids.shape, np.float32)
        for contribution in self.contributions(queries, pool).values():
            final += contribution
        return pool.ranked(final)


class WeightedColumns(SumOfColumns):
    """Fusion whose final score is a sum of columns, each times its weight for the query."""

    @abstractmethod
    def weighing(self, queries: QueryBatch, pool: Pool) -> Weighing:
        """Return the weights, float32 [L, Q], and the L columns that they apply to: label -> float32 [Q, K]."""

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return each column times its weights: label -> float32 [Q, K]."""
        return weighed(*self.weighing(queries, pool))

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Set `final` to the sum of the contributions, in blocks that fit into the processor's nearest cache."""
        weights, named = self.weighing(queries, pool)
        columns = list(named.values())
        shares = weights[:, :, None]
        if (weights == weights[:, :1]).all():  # one long loop instead of one per row
            shares = np.broadcast_to(shares[:, :1], shares.shape)
        final = np.empty(pool.ids.shape, np.float32)
        for rows in _parts(pool.ids):
            np.multiply(shares[0, rows], columns[0][rows], out=final[rows])
            for share, column in zip(shares[1:], columns[1:], strict=True):
                final[rows] += share[rows] * column[rows]
        final.reshape(-1)[pool.padding] = np.nan
        return pool.ranked(final)


def _speaks(values: Floats) -> Bools:
    """Return bool [Q]: true for queries with an opinion in this column."""
    speaks: Bools = np.logical_or.reduce(~np.isnan(values), axis=1)
    return speaks


def _scaled(normaliser: Normaliser, columns: Mapping[str, Floats], missing: Missing) -> dict[str, Floats]:
    """Return the scaled columns: label -> float32 [Q, K] without NaN.

    The rows of all columns are put one below the other and scaled by one call, since a normaliser works row by row. So
    all columns of a single query take no more calls of numpy than one column.
    """
    stack = np.empty((len(columns), *next(iter(columns.values())).shape), np.float32)
    for rows in _parts(stack[0], len(columns)):
        block = np.concatenate([values[rows] for values in columns.values()])
        stack[:, rows] = _filled(normaliser.scale(block), missing).reshape(stack[:, rows].shape)
    return dict(zip(columns, stack, strict=True))


def _filled(values: Floats, missing: Missing) -> Floats:
    unknown = np.isnan(values)
    if missing == "lowest":
        fill = np.fmin.reduce(values, axis=1, keepdims=True, initial=np.inf)
    else:
        sums = values.sum(axis=1, keepdims=True, where=~unknown, dtype=np.float64)
        fill = sums / np.maximum((~unknown).sum(axis=1, keepdims=True), 1)
    fill[unknown.all(axis=1)] = 0
    return np.where(unknown, fill, values)


def _parts(values: NDArray[Any], columns: int = 1) -> Iterator[slice]:
    """Yield blocks of rows of `values`, [Q, K].

    So many `columns` of this shape are processed together, and a block of all of them fits into the processor's nearest
    cache.
    """
    step = max(_CACHED // max(values.shape[1] * columns, 1), 1)
    return (slice(start, start + step) for start in range(0, len(values), step))
