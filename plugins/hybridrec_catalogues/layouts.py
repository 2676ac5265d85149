"""Layouts of the lines of text files, by which readers parse them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec import text_files

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Layout:
    """File of a data set and the layout of its lines.

    file: the name of the file
    fields: a regular expression with a named group for each field that is used
    shown: the layout as error messages show it
    header: true if the first line may hold names
    """

    file: str
    fields: str
    shown: str
    encoding: str = "utf-8"
    header: bool = False

    def blocks(self, folder: Path, bad_lines: text_files.BadLines) -> Iterator[pl.DataFrame]:
        """Yield the lines of the file in blocks: frames with `line`, the number, and a text column for each field."""
        return text_files.parse_lines(
            folder / self.file, self.fields, self.shown, bad_lines, encoding=self.encoding, header=self.header
        )

    def whole(self, folder: Path, bad_lines: text_files.BadLines, key: str | None = None) -> pl.DataFrame:
        """Read the whole file as one frame with the columns of the frames of `blocks`.

        With `key`, the name of a field, only the first line with each value of this field is kept.
        """
        path = folder / self.file
        rows = text_files.parse_whole(
            path, self.fields, self.shown, bad_lines, encoding=self.encoding, header=self.header
        )
        return rows if key is None else text_files.first_of_each(rows, key, path, bad_lines, key)
