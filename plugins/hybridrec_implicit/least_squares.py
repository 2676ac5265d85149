"""Weighted least squares of many rows at once: a step of alternating least squares, and the fold-in of queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrec import Doubles, Floats, Longs, Sparse

Reals: TypeAlias = NDArray[np.floating[Any]]

_BLOCK_BYTES = 1 << 21
"""Number of bytes of the rows that are solved together, small enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Solver of the best row vectors x for given column vectors y.

    The x of a row minimizes  w0 Σ_j (x·y_j)²  +  Σ_k [w_k (r_k - x·y_k)² - w0 (x·y_k)²]  +  λ |x|²,  where j are all
    columns and k the known columns of the row. Coordinates are in the principal axes of the column vectors, in which
    w0 Y'Y is diagonal. So a row of n known columns takes n equations instead of D where n is smaller (Woodbury's
    identity):

        (P + Y_n' E Y_n) x = Y_n' b   <=>   x = P⁻¹ Y_n' (I + E Y_n P⁻¹ Y_n')⁻¹ b,   P = Λ + λI,  E = w - w0,  b = w r

    spread: float64[D], the eigenvalues Λ of w0 Y'Y, descending
    columns: [N, D], the column vectors in their principal axes; rows of NaN for columns that no row has
    """

    spread: Doubles
    columns: Reals

    @classmethod
    def of(cls, columns: Reals, unobserved: float) -> Self:
        """Make a solver from column vectors, [N, D], in any axes; `unobserved` is w0. It keeps their precision."""
        spread, axes = principal_axes(columns, unobserved)
        return cls(spread, (columns.astype(np.float64) @ axes).astype(columns.dtype))

    def solve(self, entries: Sparse, excess: Reals, ridge: Doubles) -> Reals:
        """Solve for the row vectors, [rows, D], in the axes of the columns; rows without known columns get zeros.

        entries: csr [rows, N] with b = w r as data
        excess: w - w0 of each entry, parallel to the data of `entries`
        ridge: λ of each row, above 0
        """
        lengths = np.diff(entries.indptr)
        result = np.zeros((entries.shape[0], len(self.spread)), self.columns.dtype)
        for rows, width in blocks(lengths, len(self.spread)):
            # Short rows are padded by repeating their last column with weight 0, which leaves the solution unchanged.
            places = np.minimum(np.arange(width), lengths[rows, None] - 1) + entries.indptr[rows, None]
            filled = np.arange(width) < lengths[rows, None]
            b, e = ((filled * values[places]).astype(result.dtype) for values in (entries.data, excess))
            diagonal = (self.spread + ridge[rows, None]).astype(result.dtype)
            few = width < len(self.spread)
            picked = self.columns.take(entries.indices[places], axis=0)
            result[rows] = (_by_columns if few else _by_factors)(picked, b, e, diagonal)
        return result


def principal_axes(columns: Reals, unobserved: float) -> tuple[Doubles, Doubles]:
    """Return (spread, axes) of column vectors [N, D]: the eigenvalues of w0 Y'Y, float64 [D], and the axes, [D, D].

    `columns @ axes` are the vectors in the principal axes; `unobserved` is w0.
    """
    exact = columns.astype(np.float64)
    eigenvalues, axes = np.linalg.eigh(unobserved * (exact.T @ exact))
    return np.maximum(eigenvalues[::-1], 0), axes[:, ::-1]


def _by_columns(picked: Reals, b: Reals, e: Reals, diagonal: Reals) -> Reals:
    """Solve for B row vectors x of n known columns each, by n equations for each: [B, D].

    The symbols are those of `LeastSquares`: `picked`, [B, n, D], are the known columns; `b` and `e`, [B, n], are the
    diagonals b and E; `diagonal`, [B, D], is P.
    """
    scaled = picked / diagonal[:, None, :]
    left = e[:, :, None] * (scaled @ picked.swapaxes(1, 2))
    _add_to_diagonal(left, 1)
    return (np.linalg.solve(left, b[:, :, None]).swapaxes(1, 2) @ scaled)[:, 0]


def _by_factors(picked: Reals, b: Reals, e: Reals, diagonal: Reals) -> Reals:
    """Solve for x [B, D] by D equations, from the same arguments as `_by_columns`."""
    left = picked.swapaxes(1, 2) @ (e[:, :, None] * picked)
    _add_to_diagonal(left, diagonal)
    return np.linalg.solve(left, picked.swapaxes(1, 2) @ b[:, :, None])[:, :, 0]


def _add_to_diagonal(matrices: Reals, values: Reals | int) -> None:
    """Add the values to the diagonal of each of the matrices [B, n, n], in place."""
    places = np.arange(matrices.shape[1])
    matrices[:, places, places] += values


def blocks(lengths: Longs, factors: int) -> Iterator[tuple[Longs, int]]:
    """Yield (rows, length) of blocks of rows of similar length: their numbers, int64, and the greatest length.

    Rows of length 0 are left out. A block is so small that the least squares of its rows, with `factors` dimensions,
    fit into `_BLOCK_BYTES`.
    """
    rows = np.argsort(lengths, kind="stable")
    rows = rows[lengths[rows] > 0]
    while len(rows):
        # Take at most half of the remaining rows, so that short rows are not padded to the longest.
        equations = np.minimum(lengths[rows], factors)
        bytes_each = 8 * (2 * factors * lengths[rows] + 2 * equations**2)
        fitting = np.searchsorted(bytes_each * np.arange(1, len(rows) + 1), _BLOCK_BYTES, side="right")
        size = max(1, min(int(fitting), (len(rows) + 1) // 2))
        yield rows[:size], int(lengths[rows[size - 1]])
        rows = rows[size:]


class Side(NamedTuple):
    """The least-squares problem of one side, users or columns: the arguments of `LeastSquares.solve`."""

    entries: Sparse
    excess: Reals
    ridge: Doubles


def alternate(rows: Side, columns: Side, start: Floats, *, unobserved: float, iterations: int) -> Floats:
    """Return column vectors, float32 [N, D], after rounds of alternating least squares from the vectors `start`.

    Each round solves for the rows, then for the columns. The solved vectors are in the principal axes of those that
    were held fixed; inner products are the same in any axes.
    """
    vectors = start
    for _ in range(iterations):
        for side in (rows, columns):
            vectors = LeastSquares.of(vectors, unobserved).solve(*side).astype(np.float32, copy=False)
    return vectors
