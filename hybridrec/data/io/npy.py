"""Dense arrays in .npy files, which may exceed memory: read in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hybridrec.errors import DataError
from hybridrec.types import Floats

BLOCK = 64 << 20
"""The size in bytes of a block of float32 numbers, the only ones in memory at a time."""


@dataclass(frozen=True, slots=True)
class NpyRows:
    """The array in a .npy file as rows along its first axis; the other axes (frequency and time, say) are flattened.

    path, dtype, offset: the file, the type of its numbers, and the byte at which they begin
    shape: the shape of the array, with all its axes
    """

    path: Path
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read the header; raises DataError unless the array has real numbers, two axes or more, and C order."""
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # the header is parsed as Python, with all errors of its parser
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
        """The number of numbers in a row, D."""
        return int(np.prod(self.shape[1:]))

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield all rows in order, a block at a time: the slice of rows, and their numbers as float32 [rows, D].

        Each block is mapped separately, so that its pages are released afterwards; pages of a mapping of the whole file
        would stay with the process. Raises DataError at a number that is not finite.
        """
        step = max(BLOCK // (4 * max(self.dims, 1)), 1)
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            place = self.offset + start * self.dims * self.dtype.itemsize
            mapped = np.memmap(self.path, self.dtype, "r", place, (rows.stop - start, self.dims))
            with np.errstate(over="ignore"):  # values too large for float32 are reported below
                block = np.array(mapped, np.float32)
            del mapped
            if not np.isfinite(block.sum(axis=1, dtype=np.float64)).all():
                row = start + int(np.argmin(np.isfinite(block).all(axis=1))) + 1
                raise DataError(f"{self.path}, row {row}: not all numbers are finite")
            yield rows, block
