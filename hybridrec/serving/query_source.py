"""Sources of queries for batches: all users of a bundle, or a file, read part by part so that memory is bounded."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hybridrec.data.io.faults import naming
from hybridrec.data.io.files import format_of
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.errors import DataError
from hybridrec.serving.filter_rules import parse_json
from hybridrec.serving.query_table import (
    FIELDS,
    FILTERS,
    NESTED,
    RULES,
    Places,
    column_types,
    unknown_column,
    valid_columns,
)
from hybridrec.types import ITEMS, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.dataset import Dataset

LISTS = ("items", "item_times", "item_weights", "disliked", "blocked", "pinned")
"""The columns of a csv file that hold lists, besides the columns of the kinds and of conditions."""

NUMBERS = ("time", "item_times", "item_weights", "n")
"""The columns of numbers, which may have fractions."""

IDS = ("query", "user", "items", "disliked", "blocked", "pinned")
"""The columns of ids, besides the columns of the kinds; their values never become floats, which would round them."""


class QuerySource(Protocol):
    """A source of queries, which always gives the same queries in the same order."""

    @property
    def name(self) -> str:
        """The name of the source in messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """A text that differs between sources with different queries; the users of different bundles may share it."""
        ...

    def of(self, data: Dataset) -> QuerySource:
        """Return the same source for a bundle with this data."""
        ...

    def count(self) -> int:
        """Return the number of queries."""
        ...

    def parts(self, size: int, skip: int) -> Iterator[tuple[pl.DataFrame, Places]]:
        """Yield (table, places): tables of `size` queries, of which the first `skip` tables are left out.

        `places` is the function that names the place of a row of the table in messages; it can be pickled.
        """
        ...


@dataclass(frozen=True, slots=True)
class AllUsers:
    """All users that a bundle knows, in the order of their ids."""

    data: Dataset
    name: str = "all users"
    fingerprint: str = "all users"

    def of(self, data: Dataset) -> AllUsers:
        """Return the source of all users of a bundle with this data."""
        return replace(self, data=data)

    def count(self) -> int:
        """Return the number of users."""
        return len(self.data.users)

    def parts(self, size: int, skip: int) -> Iterator[tuple[pl.DataFrame, Places]]:
        """Yield (table, places): tables of `size` users with the column `user`, without the first `skip` tables."""
        ids = self.data.users.vocabulary.ids
        for start in range(skip * size, len(ids), size):
            yield ids.slice(start, size).alias("user").to_frame(), _counted("user", start)


class QueryFile:
    """A Parquet, JSON Lines or csv file of queries, with the columns of `BatchRecommender`.

    In a csv file the ids of a list stand in one field with a separator between them, and an empty field is a missing
    value.
    """

    def __init__(self, path: Path, data: Dataset, separator: str = "|", target: Target = ITEMS) -> None:
        """Take the path of a file, which is not read yet, the separator of lists in csv, and what is recommended.

        Raises DataError if the file does not exist, or if its name does not end in .parquet, .jsonl or .csv.
        """
        self.path = path
        self.name = str(path)
        self._format = format_of(path)
        self._valid, self._types = valid_columns(data, target), column_types(data, target)
        conditions = (name for name in self._valid if name.startswith(FILTERS))
        self._lists = {*LISTS, *conditions, *data.kinds, *(f"entities.{kind}" for kind in data.kinds)}
        self._ids = {*IDS, *(kind for kind in data.kinds if kind not in FIELDS)}
        self._separator = separator
        self._target = target
        if self._format not in ("parquet", "jsonl", "csv"):
            raise DataError(f"{path}: name a file of queries that ends in .parquet, .jsonl or .csv")
        if not path.is_file():
            raise DataError(f"{path}: no such file")

    @property
    def fingerprint(self) -> str:
        """The digest of the file's content, and the separator of lists."""
        with self.path.open("rb") as file:
            return f"{hashlib.file_digest(file, 'blake2b').hexdigest()[:32]} {self._separator}"

    def of(self, data: Dataset) -> QueryFile:
        """Return the source of the same queries for a bundle with this data, which decides the columns of a file."""
        return QueryFile(self.path, data, self._separator, self._target)

    def count(self) -> int:
        """Return the number of queries in the file."""
        if self._format != "parquet":
            return sum(1 for _ in self._rows())
        import polars as pl

        return int(self._read(pl.scan_parquet(self.path, glob=False).select(pl.len()).collect).item())

    def parts(self, size: int, skip: int) -> Iterator[tuple[pl.DataFrame, Places]]:
        """Yield (table, places): tables of `size` queries, without the first `skip` tables.

        Raises DataError for a line that cannot be read; the message names the line.
        """
        import polars as pl

        if self._format == "parquet":
            table = pl.scan_parquet(self.path, glob=False)
            for start in range(skip * size, self.count(), size):
                yield self._read(table.slice(start, size).collect), _counted(f"{self.path}, row", start)
            return
        rows = islice(self._rows(), skip * size, None)
        while numbered := list(islice(rows, size)):
            yield self._table(numbered), _listed(f"{self.path}, line", [line for line, _ in numbered])

    def _read(self, read: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """Call a function that reads the Parquet file, and return its table; raises DataError for a damaged file."""
        try:
            with naming(str(self.path)):
                return read()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (line, row) for each query: the number of its line, from 1, and a mapping from column to value."""
        check_lines(self.path)
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._json_rows(file) if self._format == "jsonl" else self._csv_rows(file)
        except UnicodeDecodeError:
            raise DataError(f"{self.path}: is not in UTF-8") from None
        except csv.Error as error:
            raise DataError(f"{self.path}: cannot be read as csv ({error})") from None

    def _json_rows(self, file: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = parse_json(text)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{self.path}, line {line}: is not JSON ({error})") from None
            if not isinstance(row, dict):
                raise DataError(
                    f'{self.path}, line {line}: is not an object; right is {{"query": ..., "items": [...]}}'
                )
            yield line, self._flat(row, line)

    def _flat(self, row: dict[str, Any], line: int) -> dict[str, Any]:
        """Return a JSON object without inner objects: each of their keys becomes a column `FIELD.NAME`.

        A list of filter rules becomes its JSON. Raises DataError for an unknown key, a column that is there twice, and
        a `NESTED` field that is not an object.
        """
        flat: dict[str, Any] = {}
        for field, value in row.items():
            columns = {field: value}
            if field == RULES and isinstance(value, list):
                columns = {RULES: json.dumps(value)}
            elif field in NESTED:
                if not isinstance(value, dict | None):
                    either = ', or a list of rules, [{"column": "NAME", ...}, ...]' if field == RULES else ""
                    raise self._fault(
                        line, field, f'{value!r} is not an object; right is {{"NAME": VALUE, ...}}{either}'
                    )
                columns = {f"{field}.{name}": each for name, each in (value or {}).items()}
            for column, each in columns.items():
                name = column.removeprefix("entities.")
                if name not in self._valid:
                    raise DataError(f"{self.path}, line {line}: {unknown_column(name, self._valid)}")
                if name in flat:
                    raise DataError(f"{self.path}, line {line}: the column '{name}' is there twice")
                flat[name] = self._typed(name, each, line) if name in self._types else each
        return flat

    def _typed(self, name: str, value: Any, line: int) -> str | list[str | None] | None:
        """Return the value of a feature as its text, of categories and filters as a list of texts, as csv has them.

        So no other row decides what the value of this one means. Raises DataError for a category that is not a text.
        """
        listed = self._types[name] == "category" or name.startswith(FILTERS)
        if isinstance(value, list) and listed:
            return [self._text(name, each, line) for each in value]
        text = self._text(name, value, line)
        return [text] if listed and text is not None else text

    def _text(self, name: str, value: Any, line: int) -> str | None:
        """Return the text of one value of a feature; None for null and NaN."""
        if value is None or isinstance(value, str):
            return value
        if self._types[name] == "category":
            raise self._fault(line, name, f"{value!r} is not a text, as categories are")
        if isinstance(value, dict | list):
            raise self._fault(line, name, f"{value!r} is neither text nor a number")
        return None if value != value else json.dumps(value)

    def _fault(self, line: int, name: str, fault: str) -> DataError:
        """Return, but do not raise, the error about a value in a line of the file."""
        return DataError(f"{self.path}, line {line}: column '{name}': {fault}")

    def _csv_rows(self, file: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        reader = csv.reader(file)
        header = next(reader, [])
        if doubled := next((name for name in header if header.count(name) > 1), None):
            raise DataError(f"{self.path}, line 1: the column '{doubled}' is there twice")
        names = (name.removeprefix("entities.") for name in header)
        if unknown := next((name for name in names if name not in self._valid), None):
            raise DataError(f"{self.path}, line 1: {unknown_column(unknown, self._valid)}")
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                if len(fields) != len(header):
                    raise DataError(f"{self.path}, line {line}: has {len(fields)} fields; the header has {len(header)}")
                yield line, {name: self._cell(name, text) for name, text in zip(header, fields, strict=True)}
            line = reader.line_num + 1

    def _cell(self, name: str, text: str) -> str | list[str] | None:
        """Return the value of a csv field: None if it is empty, a list in a column of lists, else its text."""
        if not text:
            return None
        return text.split(self._separator) if name in self._lists else text

    def _table(self, numbered: Sequence[tuple[int, dict[str, Any]]]) -> pl.DataFrame:
        """Return a table of (line, row) pairs; raises DataError for a value that does not fit its column.

        The type of a column follows from all its values, so that it does not depend on the order of the rows.
        """
        import polars as pl

        names = dict.fromkeys(name for _, row in numbered for name in row)
        if not names:  # such a table would have no rows
            raise DataError(f"{self.path}, line {numbered[0][0]}: give each query a name: `query`, or `user`")
        columns = {}
        for name in names:
            values = [row.get(name) for _, row in numbered]
            try:
                columns[name] = pl.Series(name, values, dtype=_dtype(values, ids=name in self._ids), strict=True)
            except (TypeError, OverflowError, pl.exceptions.PolarsError):
                columns[name] = pl.Series(name, self._as_texts(name, values, numbered))
        return pl.DataFrame(columns)

    def _as_texts(self, name: str, values: Sequence[Any], numbered: Sequence[tuple[int, Any]]) -> list[Any]:
        """Convert a column of values, or of lists of them, of which some are numbers and others are texts, to texts.

        An id such as 3.0 becomes "3", and NaN a missing id.

        Raises DataError for any other value; the message names the line.
        """
        listed = any(isinstance(value, list) for value in values)

        def text(value: Any, line: int) -> str | None:
            if value is None or isinstance(value, str):
                return value
            if isinstance(value, dict | list):
                fault = "is neither text nor a number"
                raise self._fault(line, name, f"{value!r} {fault}")
            if isinstance(value, float) and name in NUMBERS:
                return repr(value)
            if isinstance(value, float) and name in self._ids:
                if math.isnan(value):
                    return None
                if not value.is_integer():
                    fault = "is not an id; ids are text or whole numbers"
                    raise self._fault(line, name, f"{value!r} {fault}")
                return str(int(value))
            if isinstance(value, bool) or not isinstance(value, int):
                raise self._fault(line, name, f"{value!r} does not fit the other values")
            return str(value)

        texts: list[Any] = []
        for (line, _), value in zip(numbered, values, strict=True):
            if listed and not isinstance(value, list | None):
                raise self._fault(line, name, f"{value!r} is not a list, as others are")
            texts.append([text(each, line) for each in value] if isinstance(value, list) else text(value, line))
        return texts


def _dtype(values: Sequence[Any], *, ids: bool) -> pl.DataType:
    """Return the type of a column of JSON values, or of lists of them; raises TypeError if no type fits all of them.

    Whole numbers among which there is a number with a fraction are of type Float64. No type fits such numbers if they
    are `ids`.
    """
    import polars as pl

    listed = {isinstance(value, list) for value in values if value is not None}
    inner = (each for value in values for each in (value if isinstance(value, list) else (value,)))
    kinds = frozenset(type(each) for each in inner if each is not None)
    dtypes: dict[frozenset[type], pl.DataType] = {
        frozenset(): pl.Null(),
        frozenset({str}): pl.String(),
        frozenset({bool}): pl.Boolean(),
        frozenset({int}): pl.Int64(),
        frozenset({float}): pl.Float64(),
        frozenset({int, float}): pl.Float64(),
    }
    if kinds not in dtypes or len(listed) > 1 or (ids and float in kinds):
        raise TypeError("no type fits all values")
    return pl.List(dtypes[kinds]) if True in listed else dtypes[kinds]


def _counted(unit: str, start: int) -> Places:
    """Return the function that names a row: row 0 of a table is "UNIT `start` + 1", the next row "UNIT `start` + 2"."""
    return partial(_count, unit, start)


def _listed(unit: str, numbers: Sequence[int]) -> Places:
    """Return the function that names a row: row r of a table is "UNIT `numbers[r]`"."""
    return partial(_entry, unit, numbers)


def _count(unit: str, start: int, row: int) -> str:
    return f"{unit} {start + row + 1}"


def _entry(unit: str, numbers: Sequence[int], row: int) -> str:
    return f"{unit} {numbers[row]}"
