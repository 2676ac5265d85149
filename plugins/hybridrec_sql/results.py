"""Results of queries as frames: rows come in batches, ids become codes, and values of any driver become columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hybridrec import DataError

if TYPE_CHECKING:
    import polars as pl

BATCH = 5_000
"""Number of rows that are fetched at a time."""
INSIDE = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Texts, quoted names and comments in a query."""


def is_ordered(query: str) -> bool:
    """Return True for a query whose outermost level has an ORDER BY.

    >>> is_ordered("SELECT a FROM t ORDER BY a"), is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a) AS b")
    (True, False)
    """
    text, before = INSIDE.sub("''", query), ""
    while text != before:
        before, text = text, re.sub(r"\([^()]*\)", "", text)
    return bool(re.search(r"\border\s+by\b", text, re.IGNORECASE))


def frame_of(
    batches: Iterable[tuple[list[str], Sequence[Any]]], wanted: Collection[str], ids: Collection[str], *, ordered: bool
) -> pl.DataFrame:
    """Return the rows of all batches as a frame with the wanted columns, as far as the result has them.

    The columns `ids` become texts of type `Enum`, coded batch by batch, unless they hold lists. Rows that are not
    `ordered` are sorted by their values, lists aside. Raises DataError for columns of the same name, a result without
    any wanted column, and values of types that no column may hold.
    """
    import polars as pl

    pieces: dict[str, list[pl.Series]] = {}
    coders: dict[str, Coder] = {}
    names: list[str] = []
    for names, rows in batches:
        if double := [name for name in names if names.count(name) > 1]:
            raise DataError(f"two columns are called '{double[0]}'; name them apart with AS")
        for place, name in enumerate(names):
            if name not in wanted:
                continue
            values = [row[place] for row in rows]
            if name in ids and not any(isinstance(value, list | tuple) for value in values):
                column = coders.setdefault(name, Coder()).codes(values)
            else:
                column = column_of(name, values)
            pieces.setdefault(name, []).append(column)
    if not pieces:
        raise DataError(f"the result has none of the columns that the config names; it has {', '.join(names)}")
    # Column by column, so that no more than one of them is there twice.
    columns = {}
    for name in list(pieces):
        whole = _joined(name, pieces.pop(name))
        columns[name] = coders[name].decoded(whole) if name in coders else whole
    if not ordered:
        sortable = [name for name, column in columns.items() if not column.dtype.is_nested()]
        if sortable:
            places = pl.DataFrame(columns).select(pl.arg_sort_by(sortable, maintain_order=True)).to_series()
            for name in columns:
                columns[name] = columns[name].gather(places)
    return pl.DataFrame(columns)


def _joined(name: str, pieces: Sequence[pl.Series]) -> pl.Series:
    """Return the pieces of a column as one column.

    Raises DataError unless their types go together, as integers and fractions do.
    """
    import polars as pl

    try:
        joined = pl.concat([piece.to_frame(name) for piece in pieces], how="vertical_relaxed")
    except pl.exceptions.PolarsError:
        types = ", ".join(dict.fromkeys(str(piece.dtype) for piece in pieces))
        raise DataError(f"column '{name}' holds values of types that do not go together ({types})") from None
    whole = joined.to_series().rechunk()
    return whole.shrink_dtype() if whole.dtype.is_integer() else whole


class Coder:
    """Maker of codes: ids are numbered in order of appearance; None stays null."""

    def __init__(self) -> None:
        """Start without any id."""
        self.code_of: dict[Any, int] = {}

    def codes(self, values: Iterable[Any]) -> pl.Series:
        """Return the code of each value, uint32; new values get the next codes."""
        import polars as pl

        code_of = self.code_of
        codes = [None if value is None else code_of.setdefault(value, len(code_of)) for value in values]
        return pl.Series(codes, dtype=pl.UInt32)

    def decoded(self, codes: pl.Series) -> pl.Series:
        """Return the ids of these codes as texts of type `Enum`, whose categories are sorted."""
        import polars as pl

        texts = pl.Series([text_of(value) for value in self.code_of], dtype=pl.String)
        names = texts.unique().sort()
        return texts.cast(pl.Enum(names)).gather(codes)


def text_of(value: Any) -> str:
    """Return an id as text: 7.0 becomes "7", and bytes become hexadecimal digits."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else format(value.normalize(), "f")
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)


def column_of(name: str, values: Sequence[Any]) -> pl.Series:
    """Return the values of a driver as a column of numbers, booleans, times, texts or lists of those.

    Raises DataError for bytes.
    """
    import polars as pl

    kinds = {type(value) for value in values} - {type(None)}
    if any(issubclass(kind, bytes | memoryview) for kind in kinds):
        raise DataError(f"column '{name}' holds bytes; right are numbers, booleans, times, texts or lists of those")
    if kinds <= {bool} or kinds <= {int} or kinds <= {str} or all(issubclass(kind, list | tuple) for kind in kinds):
        return pl.Series(name, values, strict=False)
    if kinds <= {bool, int, float, Decimal}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if all(issubclass(kind, datetime) for kind in kinds):
        return pl.Series(name, [_in_utc(value) for value in values], dtype=pl.Datetime("us"))
    if all(issubclass(kind, date) and not issubclass(kind, datetime) for kind in kinds):
        return pl.Series(name, values, dtype=pl.Date)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _in_utc(time: datetime | None) -> datetime | None:
    """Return a time without zone, converted to UTC if it had one."""
    return time if time is None or time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
