"""Dense arrays in .npy files, which may exceed memory: read in blocks of rows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hybridrec.errors import DataError
from hybridrec.types import Floats

BLOCK = 64 << 20
"""The size in bytes of a block of float32 numbers, the only ones in memory at a time."""
_LONGEST_HEADER = 10_000
"""The most bytes of a header, as numpy has it."""

_MAGIC = b"\x93NUMPY"
_FIELDS = {"descr": r"['\"]([<>|=]?[b-zA-Z]\d*)['\"]", "fortran_order": r"(True|False)", "shape": r"\(([\d, L]*)\)"}
"""The values in a header; whole numbers of Python 2 may end in L, and numpy warns of the type `a`."""


def map_npy(path: Path) -> np.memmap[Any, np.dtype[Any]]:
    """Map the array of a .npy file into memory, read-only.

    The header is not parsed as Python, whose warnings about a damaged or an old one would reach the user. Raises
    DataError if the file cannot be read, is cut, or holds Python objects or records.
    """
    try:
        with path.open("rb") as file:
            magic, major = file.read(6), int.from_bytes(file.read(2)[:1])
            if magic != _MAGIC or major not in (1, 2, 3):
                raise ValueError("it does not begin as such a file does")
            length = int.from_bytes(file.read(2 if major == 1 else 4), "little")
            if length > _LONGEST_HEADER:
                raise ValueError(f"its header has {length:,} bytes; right are at most {_LONGEST_HEADER:,}")
            header = file.read(length).decode("utf-8" if major == 3 else "latin-1")
            offset = file.tell()
        type_name, order, axes = (_field(header, name) for name in _FIELDS)
        dtype = np.dtype(type_name)
        shape = tuple(int(axis.strip().removesuffix("L")) for axis in axes.split(",") if axis.strip())
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not unpickled")
        if offset + math.prod(shape) * dtype.itemsize > path.stat().st_size:
            raise ValueError("it is cut off")
        return np.memmap(path, dtype, "r", offset, shape, "F" if order == "True" else "C")
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{path} cannot be read as .npy: {error}") from None


def _field(header: str, name: str) -> str:
    value = re.search(rf"['\"]{name}['\"]\s*:\s*{_FIELDS[name]}", header)
    if value is None:
        raise ValueError(f"`{name}` is missing in its header, or is of an unknown form")
    return value[1]


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
        mapped = map_npy(path)
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
