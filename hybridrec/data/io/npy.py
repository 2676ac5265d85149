"""Dense arrays in .npy files, which may exceed memory: read in blocks of rows, reduced to short vectors by PCA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hybridrec.errors import DataError
from hybridrec.types import Doubles, Floats

BLOCK = 64 << 20
"""Bytes of float32 that are in memory at a time."""
ITERATIONS = 2
"""Number of times that `pca` multiplies its basis by the covariance matrix."""
OVERSAMPLING = 16
"""Directions beyond those requested, which make the requested ones more exact."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a .npy array: its first axis; further axes (frequency and time, for example) are flattened.

    path, dtype, offset: file of the numbers, their type, and the byte at which they begin
    shape: of the whole array
    """

    path: Path
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read the header; raises DataError unless it is of real numbers, with two axes or more, in C order."""
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as .npy: {error}") from None
        if mapped.ndim < 2 or mapped.dtype.kind not in "fiu" or not mapped.flags.c_contiguous:
            raise DataError(
                f"{path} has the shape {mapped.shape} and the type {mapped.dtype}; right is a row of real numbers "
                "for each item: two axes or more, in C order"
            )
        return cls(path, mapped.dtype, mapped.offset, mapped.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dims(self) -> int:
        """D, the numbers in a row."""
        return int(np.prod(self.shape[1:]))

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield the rows in order, a block at a time: their slice, and float32 [rows, D].

        Each block is mapped separately, so that its pages are released afterwards; pages of a mapping of the whole file
        would stay with the process. Raises DataError at a number that is not finite.
        """
        step = max(BLOCK // (4 * max(self.dims, 1)), 1)
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            place = self.offset + start * self.dims * self.dtype.itemsize
            mapped = np.memmap(self.path, self.dtype, "r", place, (part.stop - start, self.dims))
            with np.errstate(over="ignore"):  # values too large for float32 are reported below
                block = np.array(mapped, np.float32)
            del mapped
            if not np.isfinite(block.sum(axis=1, dtype=np.float64)).all():
                row = start + int(np.argmin(np.isfinite(block).all(axis=1))) + 1
                raise DataError(f"{self.path}, row {row}: not all numbers are finite")
            yield part, block

    def centred(self, mean: Doubles) -> Iterator[tuple[slice, Floats]]:
        """Yield the blocks minus a mean, float64 [D]; rows of zeros, which are unknown, stay zeros."""
        for part, block in self.blocks():
            unknown = ~block.any(axis=1)
            block -= mean.astype(np.float32)
            block[unknown] = 0
            yield part, block


@dataclass(frozen=True, slots=True)
class Reduced:
    """vectors: float32 [N, dims], the first principal components · explained: their share of the variance."""

    vectors: Floats
    explained: float


def pca(rows: Rows, dims: int, rng: np.random.Generator) -> Reduced:
    """Compute the principal components of rows, with a block, a few matrices [D, dims] and the result in memory.

    Subspace iteration from random directions and a Rayleigh-Ritz step (Halko, Martinsson and Tropp, Finding structure
    with randomness, SIAM Review 2011): each iteration multiplies the basis by the covariance matrix, which is never
    formed, and orthonormalizes it again. With the mean before and the projection after, the file is read
    ITERATIONS + 2 times. Rows of zeros count as unknown: they have no influence and stay zeros. Raises DataError if
    there are fewer rows or columns than `dims`.
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
        for _, block in rows.centred(mean):
            image += block.T @ (block @ basis)
        basis = np.linalg.qr(image)[0].astype(np.float32)
    projected = np.empty((len(rows), width), np.float32)
    gram, variance = np.zeros((width, width)), 0.0
    for part, block in rows.centred(mean):
        projected[part] = block @ basis
        gram += projected[part].T @ projected[part].astype(np.float64)
        variance += float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))
    values, vectors = np.linalg.eigh(gram)
    first = vectors[:, : -dims - 1 : -1].astype(np.float32)
    explained = float(values[-dims:].sum() / variance) if variance else 1.0
    return Reduced(projected @ first, explained)


def _mean(rows: Rows) -> Doubles:
    """Compute the mean of the known rows: float64 [D]."""
    total, known = np.zeros(rows.dims), 0
    for _, block in rows.blocks():
        total += block.sum(axis=0, dtype=np.float64)
        known += int(block.any(axis=1).sum())
    return total / max(known, 1)
