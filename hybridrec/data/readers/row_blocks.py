"""Interactions of a Parquet file with more rows than memory should hold, in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.columns import ColumnTable, S
from hybridrec.data.io.files import FileSource
from hybridrec.errors import DataError

if TYPE_CHECKING:
    import polars as pl

LONG = 10_000_000
"""The number of interactions from which a file is read in blocks; fewer take at most about a gigabyte at once."""
BLOCK = 1 << 22
"""The number of interactions of a block."""


class FileBlocks(Generic[S]):
    """The rows of a table in a file, block after block; `hybridrec.data.partitions.RowBlocks` says what that is."""

    def __init__(
        self,
        opened: Callable[[BadLines], ColumnTable[S]],
        ids: tuple[str, str],
        frame: Callable[[ColumnTable[S]], pl.DataFrame],
        bad_lines: BadLines,
    ) -> None:
        """Describe the blocks.

        opened: opens the table; the malformed rows go to the argument
        ids: names of the columns of users and of items, or of lists of items
        frame: returns the frame of interactions of a block of rows
        bad_lines: gets the malformed rows of the first reading; later ones leave out the same rows
        """
        self._opened = opened
        self._ids = ids
        self._frame = frame
        self._bad_lines: BadLines | None = bad_lines
        table = opened(BadLines(strict=False))
        self.rows = table.count(ids[1])
        self._lines = table.length
        self._states = _states(table.source)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the blocks; raises DataError if the file is not the one that was described."""
        bad_lines, self._bad_lines = self._bad_lines or BadLines(strict=False), None
        table = self._opened(bad_lines)
        self._check(table)
        per_line = max(self.rows // max(self._lines, 1), 1)  # a line with a list has many interactions
        for block in table.blocks(max(BLOCK // per_line, 1), self._ids, self._ids[1]):
            yield self._frame(block)
        self._check(table)

    def _check(self, table: ColumnTable[S]) -> None:
        # Times of change are coarse: a change a moment ago may show in the number of rows alone.
        if _states(table.source) != self._states or table.length != self._lines:
            raise DataError(f"{table.source.path} changed while it was read: run it again when nobody writes to it")


def _states(source: FileSource) -> list[tuple[Path, int, int, int]]:
    """Return (path, size, time of change, inode) of each file of a table that is there."""
    states = ((each.path, each.path.stat()) for each in source.parts if each.path.exists())
    return [(path, state.st_size, state.st_mtime_ns, state.st_ino) for path, state in states]
