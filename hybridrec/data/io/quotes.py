"""Quotes in text tables: quotes behind a backslash, and quotes that are not closed and take in the lines below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ESCAPED = re.compile(r'\\(["\\])')
"""A quote or a backslash that belongs to the text of a field, since a backslash stands before it."""
ESCAPED_WITHIN = re.compile(r'\\"(?=[^";,|\t\r\n])')
"""A quote behind a backslash, within a field: the next character neither ends the field nor doubles the quote."""
OPENING = re.compile(r'(?:^|[;,|\t])"', re.MULTILINE)
"""A quote at the beginning of a field."""
LINES = 3
"""The smallest number of lines in one cell for which the cell is suspected of holding rows of the table."""
LINES_OF_TWO = 20
"""The same number for a table of two columns: many a line of prose has one comma, too."""
ALIKE = 0.9
"""The share of the lines in a cell that must have as many separators as a row of the table."""
LONGEST = 100
"""The number of cells, those with the most lines, that are looked at."""


def has_escapes(text: str) -> bool:
    """Return True if fields are quoted and a backslash stands before quotes that belong to their text."""
    return bool(OPENING.search(text) and ESCAPED_WITHIN.search(text))


def double_quotes(text: bytes, encoding: str) -> bytes:
    r"""Return the text with a doubled quote in place of each backslash and quote, as readers of csv expect.

    Two backslashes in a row stand for one, and become one.

    >>> double_quotes(b"say \\'hi\\'".replace(b"'", b'"'), "utf-8").decode()
    'say ""hi""'
    """
    decoded = text.decode(encoding, errors="surrogateescape")
    doubled = ESCAPED.sub(lambda escaped: '""' if escaped[1] == '"' else "\\", decoded)
    return doubled.encode(encoding, errors="surrogateescape")


def swallowed_lines(frame: pl.LazyFrame, separator: str) -> tuple[int, int] | None:
    """Return (row, line breaks) of a cell that holds whole rows of the table; None if no cell does.

    The row is counted from 0. Such a cell begins with a quote that is not closed in its line. All columns of `frame`
    are texts.
    """
    import polars as pl

    names = frame.collect_schema().names()
    if len(names) < 2 or not any(frame.select(pl.all().str.contains("\n", literal=True).any()).collect().row(0)):
        return None
    least = LINES_OF_TWO if len(names) == 2 else LINES
    rows = frame.with_row_index("__row")
    for name in names:
        lines = pl.col(name).str.count_matches("\n", literal=True)
        cells = rows.select("__row", pl.col(name).alias("cell"), lines.alias("lines")).filter(pl.col("lines") > least)
        for row, cell, count in cells.top_k(LONGEST, by="lines").collect().iter_rows():
            inner = cell.split("\n")[1:-1]
            if sum(line.count(separator) == len(names) - 1 for line in inner) >= ALIKE * len(inner):
                return row, count
    return None
