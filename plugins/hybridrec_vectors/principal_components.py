"""Principal components of arrays that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybridrec import DataError, Doubles, Floats, NpyRows

ITERATIONS = 2
"""Number of times that `pca` multiplies its basis by the covariance matrix."""
OVERSAMPLING = 16
"""Number of directions beyond the requested ones, which makes the requested ones more exact."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """Result of `pca`.

    vectors: float32 [N, dims], the rows in the first principal components
    explained: share of the variance that these components explain
    """

    vectors: Floats
    explained: float


def pca(rows: NpyRows, dims: int, rng: np.random.Generator) -> Reduced:
    """Project rows onto their first `dims` principal components.

    Memory holds a block of rows, a few matrices [D, dims] and the result. The method is subspace iteration from random
    directions and a Rayleigh-Ritz step (Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review
    2011): each iteration multiplies the basis by the covariance matrix, which is never formed, and orthonormalizes it
    again. With the mean before and the projection after, the file is read ITERATIONS + 2 times. Rows of zeros count as
    unknown: they have no influence and stay zeros. Raises DataError if there are fewer rows or columns than `dims`.
    """
    if dims > min(len(rows), rows.dims):
        raise DataError(
            f"{rows.path} has {len(rows)} rows of {rows.dims} numbers; they cannot be reduced to {dims} dimensions"
        )
    mean = _mean(rows)
    width = min(dims + OVERSAMPLING, rows.dims)
    basis = rng.standard_normal((rows.dims, width), dtype=np.float32)
    for _ in range(ITERATIONS):
        image = np.zeros((rows.dims, width))
        for _, block in _centred(rows, mean):
            image += block.T @ (block @ basis)
        basis = np.linalg.qr(image)[0].astype(np.float32)
    projected = np.empty((len(rows), width), np.float32)
    gram, variance = np.zeros((width, width)), 0.0
    for block_rows, block in _centred(rows, mean):
        projected[block_rows] = block @ basis
        gram += projected[block_rows].T @ projected[block_rows].astype(np.float64)
        variance += float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))
    values, vectors = np.linalg.eigh(gram)
    first = vectors[:, : -dims - 1 : -1].astype(np.float32)
    explained = float(values[-dims:].sum() / variance) if variance else 1.0
    return Reduced(projected @ first, explained)


def _mean(rows: NpyRows) -> Doubles:
    """Compute the mean of the known rows: float64 [D]."""
    total, count = np.zeros(rows.dims), 0
    for _, block in rows.blocks():
        total += block.sum(axis=0, dtype=np.float64)
        count += int(block.any(axis=1).sum())
    return total / max(count, 1)


def _centred(rows: NpyRows, mean: Doubles) -> Iterator[tuple[slice, Floats]]:
    """Yield (slice, block of rows) with `mean`, float64 [D], subtracted; rows of zeros are unknown and stay zeros."""
    for block_rows, block in rows.blocks():
        unknown = ~block.any(axis=1)
        block -= mean.astype(np.float32)
        block[unknown] = 0
        yield block_rows, block
