"""Columns in temporary files: arrays that are longer than memory should hold, written once and then mapped."""

from __future__ import annotations

import mmap
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hybridrec.errors import DataError, WriteError, format_size
from hybridrec.paths import writing


def scratch_folder() -> Path:
    """Return the folder of temporary files, which `TMPDIR` names; raises WriteError if no folder takes any."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise WriteError(
            "no folder takes temporary files, neither that of TMPDIR nor /tmp: set TMPDIR to a folder with room"
        ) from None


def require_space(needed: int, purpose: str) -> None:
    """Raise DataError unless the folder of temporary files has room for `needed` bytes; `purpose` says for what."""
    folder = scratch_folder()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{purpose} takes {format_size(needed)} of temporary files in {folder}, which has {format_size(free)} "
            "free: make room there, or set TMPDIR to a folder with more"
        )


class ColumnFile:
    """A column of values in a temporary file that has no name, so that it is gone when nobody maps it any more.

    It is a context manager, at whose end the file is closed; arrays that are mapped from it stay.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        """Create the file; raises WriteError if the folder of temporary files does not take it."""
        self.dtype = np.dtype(dtype)
        self._length = 0
        with writing(scratch_folder()):
            self._file = tempfile.TemporaryFile(prefix="hybridrec-", dir=scratch_folder())  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # a full disk has been told, and refuses what is pending once more
            self._file.close()

    def __len__(self) -> int:
        return self._length

    def append(self, values: NDArray[Any]) -> None:
        """Write values after those before; raises WriteError if the disk does not take them."""
        with writing(scratch_folder()):
            self._file.write(np.ascontiguousarray(values, self.dtype).data)
            self._file.flush()
        self._length += len(values)

    def read(self, spans: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """Return the values from `start` to `stop` (exclusive) of all spans, one span after the other, in memory.

        The file is read, not mapped, so that its pages never count as memory of this process.
        """
        values = np.empty(sum(stop - start for start, stop in spans), self.dtype)
        place = 0
        for start, stop in spans:
            self._file.seek(start * self.dtype.itemsize)
            self._file.readinto(values[place : place + stop - start].view(np.uint8).data)
            place += stop - start
        return values

    def mapped(self) -> NDArray[Any]:
        """Return all values as a read-only array on the mapped file."""
        if not self._length:
            return np.empty(0, self.dtype)
        pages = mmap.mmap(self._file.fileno(), self._length * self.dtype.itemsize, access=mmap.ACCESS_READ)
        return np.frombuffer(pages, self.dtype)
