"""Building blocks for readers of files: lines in blocks, elements of JSON arrays, times, and malformed lines.

A block of lines is a polars frame, so that no Python code runs per line; only one block of a file is in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrec.data.io.bad_lines import BadLineOptions, BadLines
from hybridrec.data.io.columns import parse_times
from hybridrec.data.io.json_stream import read_elements
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.errors import DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "BadLineOptions",
    "BadLines",
    "Numbering",
    "check_file",
    "check_lines",
    "csv_pattern",
    "first_line",
    "first_of_each",
    "folder_of",
    "only_known",
    "parse_lines",
    "parse_times",
    "parse_whole",
    "read_elements",
    "read_lines",
    "unquoted",
]

BLOCK = 1 << 24
"""The size of a block in bytes."""


def check_file(path: Path, origin: str) -> None:
    """Raise DataError if the file does not exist; the message ends with `origin`: the source and terms of the file."""
    if not path.is_file():
        raise DataError(f"{path}: no such file. {origin}")


def folder_of(files: Iterable[Path], *names: str) -> Path | None:
    """Return the folder in which `files` has a file of each of these names; None if no folder has them."""
    given = list(files)
    return min(
        set.intersection(*({file.parent for file in given if file.name == name} for name in names)), default=None
    )


def first_line(path: Path) -> str:
    """Return the first line of a file without its line end, at most 4,096 bytes of the line."""
    with path.open("rb") as file:
        return file.readline(4096).decode("utf-8-sig", errors="replace").rstrip("\r\n")


def read_lines(
    path: Path, bad_lines: BadLines, *, encoding: str = "utf-8", last: int | None = None
) -> Iterator[pl.DataFrame]:
    """Yield blocks of lines: frames with the columns `line`, the number from 1, and `text`, without the line end.

    Blank lines are left out, and lines after `last` are not read. Lines that are not of the encoding are malformed, and
    so are lines with a NUL character, or with a byte order mark that is not at their beginning.
    """
    import polars as pl

    check_lines(path)
    start = 1
    with path.open("rb") as file:
        while (last is None or start <= last) and (block := file.read(BLOCK)):
            texts = _decoded(block + file.readline(), encoding)
            frame = pl.DataFrame({"line": np.arange(start, start + len(texts)), "text": texts})
            start += len(texts)
            if last is not None:
                frame = frame.filter(pl.col("line") <= last)
            bad_lines.add(path, frame.filter(pl.col("text").is_null())["line"].to_list(), f"not {encoding}")
            text = pl.col("text").str.strip_chars_end("\r").str.strip_prefix("\ufeff")
            frame = frame.with_columns(text).filter(pl.col("text").str.strip_chars() != "")
            odd = frame["text"].str.contains("[\\x00\\x{feff}]")
            if odd.any():
                bad_lines.add(path, frame.filter(odd)["line"].to_list(), "a NUL character or byte order mark in it")
                frame = frame.filter(~odd)
            yield frame


def parse_lines(
    path: Path,
    pattern: str,
    layout: str,
    bad_lines: BadLines,
    *,
    encoding: str = "utf-8",
    header: bool = False,
    last: int | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield blocks with the column `line` and a text column for each named group of the regular expression `pattern`.

    An optional group is null where it is missing; the first group may not be optional. Lines that do not match are
    malformed; their message shows the right form, `layout` ("user::item::rating"). With `header` the first line may
    hold names instead. Lines after `last` are not read.
    """
    import polars as pl

    for block in read_lines(path, bad_lines, encoding=encoding, last=last):
        fields = pl.col("text").str.extract_groups(pattern)
        rows = block.select("line", fields.alias("fields")).unnest("fields")
        misses = rows[:, 1].is_null()
        if header:
            names = misses & (rows["line"] == 1)
            rows, misses = rows.filter(~names), misses.filter(~names)
        bad_lines.add(path, rows.filter(misses)["line"].to_list(), f"not {layout}")
        yield rows.filter(~misses)


def parse_whole(
    path: Path, pattern: str, layout: str, bad_lines: BadLines, *, encoding: str = "utf-8", header: bool = False
) -> pl.DataFrame:
    """Return all blocks of `parse_lines` in one frame: for small files that describe entities, not for interactions.

    Raises DataError if no line has this layout.
    """
    import polars as pl

    blocks = list(parse_lines(path, pattern, layout, bad_lines, encoding=encoding, header=header))
    if not any(len(block) for block in blocks):
        raise DataError(f"{path}: no line is {layout}")
    return pl.concat(blocks)


def first_of_each(rows: pl.DataFrame, key: str, path: Path, bad_lines: BadLines, thing: str) -> pl.DataFrame:
    """Drop the rows whose value of the column `key` occurred in an earlier row: they are malformed.

    `thing` is the word for such a value in the message of `bad_lines` ("user").
    """
    again = ~rows[key].is_first_distinct()
    if again.any():
        bad_lines.add(path, rows.filter(again)["line"].to_list(), f"{thing} {rows.filter(again)[key][0]} occurs again")
    return rows.filter(~again)


def only_known(
    rows: pl.DataFrame, column: str, ids: pl.Series | Collection[str], path: Path, bad_lines: BadLines, thing: str
) -> pl.DataFrame:
    """Keep the rows whose value of `column` is among `ids`; the others are malformed.

    `thing` is the word for such a value in the message of `bad_lines` ("user").
    """
    import polars as pl

    is_known = rows[column].is_in(pl.Series(ids).implode())
    if not is_known.all():
        first = rows.filter(~is_known)[column][0]
        bad_lines.add(path, rows.filter(~is_known)["line"].unique().sort().to_list(), f"unknown {thing} {first}")
    return rows.filter(is_known)


def csv_pattern(*names: str) -> str:
    """Return a regular expression for `parse_lines` that matches CSV lines with these columns.

    Fields may be quoted; `unquoted` removes the quotes.
    """
    fields = (rf'(?<{name}>"(?:[^"]|"")*"|[^",]*)' for name in names)
    return rf"^{','.join(fields)}$"


def unquoted(column: str) -> pl.Expr:
    """Express a column of CSV fields without the quotes around them, and with each doubled quote as a single one."""
    import polars as pl

    text = pl.col(column)
    inside = text.str.strip_prefix('"').str.strip_suffix('"').str.replace_all('""', '"', literal=True)
    return pl.when(text.str.contains(r'^".*"$')).then(inside).otherwise(text).alias(column)


class Numbering:
    """A numbering of texts in order of appearance, which keeps a long column with few distinct texts small.

    A reader that goes through a file in blocks keeps the `codes` of each block, and passes the `texts` of all these
    codes to `Tables`.
    """

    def __init__(self) -> None:
        """Start without any text."""
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, texts: pl.Series) -> pl.Series:
        """Return the code of each text, uint32; new texts get the next codes."""
        import polars as pl

        if not len(texts):
            return pl.Series(dtype=pl.UInt32)
        distinct = texts.unique(maintain_order=True)
        codes = [self._codes.setdefault(text, len(self._codes)) for text in distinct]
        return texts.replace_strict(distinct, pl.Series(codes, dtype=pl.UInt32), return_dtype=pl.UInt32)

    def texts(self, codes: pl.Series) -> pl.Series:
        """Return the text of each code, as a column of type `Enum`."""
        import polars as pl

        names = list(self._codes)
        return pl.Series(names, dtype=pl.Enum(names)).gather(codes)


def _decoded(block: bytes, encoding: str) -> pl.Series:
    """Return the text of each line of a block, null if the line cannot be decoded."""
    import polars as pl

    block = block.removesuffix(b"\n")
    try:
        return pl.Series([block.decode(encoding)]).str.split("\n").explode()
    except UnicodeDecodeError:
        return pl.Series([_or_none(line, encoding) for line in block.split(b"\n")], dtype=pl.String)


def _or_none(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None
