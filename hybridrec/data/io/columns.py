"""Reading of a file's columns as ids, numbers, times and labels, with a check of every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

import numpy as np

from hybridrec.data.io.bad_lines import BadLines, Fault, FaultList
from hybridrec.data.io.faults import naming
from hybridrec.data.io.files import NO_FRAMES, FileSource, check_column, load, with_sizes
from hybridrec.data.io.part_files import Origin
from hybridrec.errors import DataError
from hybridrec.types import Floats

if TYPE_CHECKING:
    import polars as pl

TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]

PER_SECOND: dict[TimeUnit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}

FAR_FUTURE = 32503680000.0
"""The year 3000 in seconds since 1970."""

ISO_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M%:z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
)
"""The forms of ISO 8601 that occur in files; in a file a blank may stand for the T, and Z for +00:00."""

FLOAT_ID = r"^\d+\.0$"
"""The pattern of an integer id that another tool has written as a float ("7.0")."""

ROW = "row of the file"
"""The name of a temporary column with the number of the row."""

_LARGEST = float(np.finfo(np.float32).max)

S = TypeVar("S", bound=FileSource)
LONGEST_ID = 10_000
"""The most bytes of an id: more is a text in the wrong column, or a quote that is not closed."""
_NOT_IN_IDS = r"[\x00\n\r\x{feff}]"
_ID_RULE = f"has no line break, NUL or byte order mark in it, and at most {LONGEST_ID:,} bytes"
"""The rule for ids but for blank ones, in the words of a message."""
_SHOWN = 80
"""The most characters of a bad value in a message."""
_WIDE = ("Int128", "UInt128")
"""Types of integers with more bits than those of arrays."""


@dataclass(frozen=True, slots=True)
class ColumnTable(Generic[S]):
    """A file whose columns are read on demand; errors name the file, the line and the column.

    If malformed lines are skipped, a value that cannot be used is null.
    """

    source: S
    frame: pl.LazyFrame
    bad_lines: BadLines
    origin: Origin
    """The places in files from which the rows of `frame` come."""
    reported: dict[Path, bytearray] = field(default_factory=dict)
    """A flag for each line of a file that was reported as malformed: a line is so once, whatever its columns hold."""
    as_text: Mapping[str, pl.Expr] = field(default_factory=dict)
    """For columns of ids of which all rows decide how they become text: the expression that was decided upon."""
    faults: FaultList | None = None
    """Gathers the malformed rows if the table is a block of rows of another; None to report them at once."""

    @classmethod
    def of(cls, source: S, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame] = NO_FRAMES) -> ColumnTable[S]:
        """Open a file, or the frame in `frames` that its path names (`frame:NAME`).

        Malformed lines are reported to `bad_lines`.
        """
        frame, origin = load(source, bad_lines, frames)
        return cls(source, frame, bad_lines, origin)

    def column(self, name: str) -> pl.Series:
        """Return a column unchanged; raises DataError if the file does not have it."""
        import polars as pl

        self.dtype(name)
        return self._evaluate(name, pl.col(name))

    def dtype(self, name: str) -> pl.DataType:
        """Return the type of a column; raises DataError if the file does not have it."""
        schema = self.frame.collect_schema()
        check_column(self.source.path, name, schema.names())
        return schema[name]

    def unrolled(self, column: str) -> ColumnTable[S]:
        """Return the table with a row for each entry of the lists in a column.

        If the column does not hold lists, the table is returned unchanged.
        """
        import polars as pl

        if not isinstance(self.dtype(column), pl.List):
            return self
        numbered = replace(self, frame=self.frame.with_row_index(ROW))._exploded(column)
        rows = numbered._evaluate(column, pl.col(ROW))
        before = self.origin.rows
        origin = replace(self.origin, rows=rows if before is None else before.gather(rows))
        return replace(self, frame=numbered.frame.drop(ROW), origin=origin)

    def _exploded(self, column: str) -> ColumnTable[S]:
        """Return the table with a row for each entry of the lists in a column; its origin is that of the lists."""
        import polars as pl

        if not isinstance(self.dtype(column), pl.List):
            return self
        return replace(self, frame=self.frame.filter(pl.col(column).list.len() > 0).explode(column))

    @property
    def length(self) -> int:
        """The number of rows."""
        import polars as pl

        return int(self.frame.select(pl.len()).collect(engine="streaming").item())

    def count(self, column: str) -> int:
        """Return the number of rows, or of all entries of the lists if the column holds lists."""
        import polars as pl

        entries = pl.col(column).list.len().sum() if isinstance(self.dtype(column), pl.List) else pl.len()
        return int(self._evaluate(column, entries).item() or 0)

    def blocks(self, rows: int, ids: Sequence[str], unrolled: str) -> Iterator[ColumnTable[S]]:
        """Yield tables of at most `rows` consecutive rows each, whose columns are those of this table, piece by piece.

        `ids` are the columns of ids that will be read, after unrolling the column `unrolled`. When the last table was
        read, all malformed rows are reported as if each column had been read at once.
        """
        import polars as pl

        origin = with_sizes(self.origin, self.source)
        length = self.length
        as_text = {column: self._exploded(unrolled)._as_text(column) for column in ids}
        gathered = FaultList()
        for start in range(0, length, rows):
            numbers = pl.int_range(start, min(start + rows, length), eager=True)
            numbers = numbers if origin.rows is None else origin.rows.gather(numbers)
            frame, gathered.place = self.frame.slice(start, rows), 0
            yield replace(self, frame=frame, origin=replace(origin, rows=numbers), as_text=as_text, faults=gathered)
        for fault in gathered.faults:
            if fault.rows:
                self._report(fault, replace(origin, rows=None), pl.concat(fault.rows))

    def values(self, name: str) -> pl.Series:
        """Return a column unchanged; raises DataError if it holds lists or structures instead of single values."""
        self._single(name)
        return self.column(name)

    def ids(self, column: str) -> pl.Series:
        """Return a column of ids as texts of type `Enum`, whose categories are sorted.

        An id that is missing, blank or very long is malformed, and so is one with a NUL or a line break. The ids are
        encoded while the file is streamed, so that a whole column of text is never in memory.
        """
        return in_order(self._checked_ids(column))

    def coded_ids(self, column: str) -> pl.Series:
        """Return a column of ids as `ids` does, but integers as they are, and texts of type `Categorical`, unsorted.

        It takes a fraction of the time if there are many distinct ids. Integers of more than 64 bits become texts.
        """
        dtype = self._single(column)
        if not dtype.is_integer() or str(dtype) in _WIDE:
            return self._checked_ids(column)
        values = self.column(column)
        return self._usable(values, values.is_null(), column, "not an id", "every row needs one")

    def _checked_ids(self, column: str) -> pl.Series:
        """Return a column of ids as texts of type `Categorical`, null for malformed ones, which are reported."""
        import polars as pl

        ids = self._evaluate(column, self._as_text(column).cast(pl.Categorical))
        ids = self._usable(ids, ids.is_null(), column, "not an id", "every row needs one")
        distinct = ids.drop_nulls().unique()
        names = distinct.cast(pl.String)
        odd = pl.select(_is_odd(pl.lit(names))).to_series() | (names.str.strip_chars() == "")
        bad = pl.repeat(False, len(ids), eager=True)  # checked also where none is odd: all blocks make the same checks
        if odd.any():
            bad = ids.to_physical().is_in(distinct.filter(odd).to_physical().implode())
        return self._usable(ids, bad, column, "not an id", f"an id is not blank, {_ID_RULE}")

    def _as_text(self, column: str) -> pl.Expr:
        """Express a column of ids as text, null where an id is missing."""
        import polars as pl

        if column in self.as_text:
            return self.as_text[column]
        value = pl.col(column)
        if self._single(column).is_float():
            # Many tools turn integers into floats if some are missing; such an id becomes 7 again, not 7.0.
            value = value.fill_nan(None)
            if not self._evaluate(column, (value != value.round()).any()).item():
                value = value.cast(pl.Int64, strict=False)
        text = value.cast(pl.String)
        if self.dtype(column) == pl.String and self._all_are_floats(column):
            text = text.str.strip_suffix(".0")
        return pl.when(text != "").then(text)

    def _all_are_floats(self, column: str) -> bool:
        """Return True if every id is an integer followed by `.0`.

        Many tools write the integers of a column so if some of its values are missing.
        """
        import polars as pl

        text = pl.col(column)
        first = self.frame.filter(text.is_not_null() & (text != "")).head(1).select(text.str.contains(FLOAT_ID))
        with naming(f"{self.source.path}: column {column!r}"):
            if not first.collect().to_series().any():
                return False
        return bool(self._evaluate(column, text.filter(text != "").str.contains(FLOAT_ID).all()).item())

    def _single(self, name: str) -> pl.DataType:
        """Return the type of a column; raises DataError if it holds lists or structures instead of single values."""
        dtype = self.dtype(name)
        if dtype.is_nested():
            raise DataError(f"{self.source.path}: column {name!r} holds {dtype}; right is one value per row")
        return dtype

    def _evaluate(self, column: str, expression: pl.Expr) -> pl.Series:
        """Evaluate an expression over the streamed rows of the file; a DataError names the column if that fails."""
        with naming(f"{self.source.path}: column {column!r}"):
            return self.frame.select(expression).collect(engine="streaming").to_series()

    def numbers(self, column: str, *, required: bool = True) -> pl.Series:
        """Return a column as float64, null where missing.

        A value that is not a finite number is malformed, and so is a missing value if `required`.
        """

        self._single(column)
        numbers = self._evaluate(column, self._number(column))
        bad = ~numbers.is_finite().fill_null(False)
        if not required:
            bad &= self._evaluate(column, _is_stated(column))
        return self._usable(numbers, bad, column, "not a finite number")

    def _number(self, column: str) -> pl.Expr:
        """Express a column as float64; texts are read with the file's decimal mark and mark between thousands."""
        return number_of(column, self.dtype(column), self.source.decimal, self.source.thousands)

    def flags(self, column: str) -> pl.Series:
        """Return a column as booleans, null where missing.

        Its values are booleans, 1 and 0, or the words true, false, yes and no in any case; others are malformed.
        """
        import polars as pl

        self._single(column)
        text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
        words = dict.fromkeys(("true", "1", "1.0", "yes"), True) | dict.fromkeys(("false", "0", "0.0", "no"), False)
        flags = self._evaluate(column, text.replace_strict(words, default=None, return_dtype=pl.Boolean))
        bad = flags.is_null() & self._evaluate(column, _is_stated(column))
        return self._usable(flags, bad, column, "neither true nor false")

    def weights(self, column: str) -> pl.Series:
        """Return a column as float32; a weight that is missing, negative, or too large for that type is malformed."""
        import polars as pl

        numbers = self.numbers(column)
        right = "a weight is positive, or 0 for no interaction"
        numbers = self._usable(numbers, numbers < 0, column, "negative", right)
        return self._usable(numbers, numbers > _LARGEST, column, "not a number of 32 bits").cast(pl.Float32)

    def integers(self, column: str) -> pl.Series:
        """Return a column as int32; a missing value, and one that is not an integer of 32 bits, is malformed."""
        import polars as pl

        if self._single(column).is_integer():
            integers = self._evaluate(column, pl.col(column).cast(pl.Int32, strict=False))
            return self._usable(integers, integers.is_null(), column, "not an integer of 32 bits")
        numbers = self.numbers(column)
        bad = (numbers != numbers.round()) | (numbers.abs() >= 2**31)
        return self._usable(numbers, bad, column, "not an integer of 32 bits").cast(pl.Int32)

    def times(
        self,
        column: str,
        unit: TimeUnit = "s",
        form: str | None = None,
        *,
        years: bool = False,
        required: bool = True,
    ) -> pl.Series:
        """Return a column of times as seconds since 1970, float64, null where missing.

        By default a time is a number in `unit`, a date, or a text in ISO 8601, taken as UTC if it has no zone. With
        `form`, a format of strptime, a time is a text of that form. With `years`, an integer from 1000 to 2999 is a
        year. Other values are malformed, and so are missing values if `required`.
        """
        import polars as pl

        dtype = self._single(column)
        in_form = form is not None and not dtype.is_temporal()
        times = None if years or in_form or dtype.is_temporal() else self._evaluate(column, _number_time(column, unit))
        if in_form and form is not None:
            times = self._evaluate(column, formatted_time(column, form))
        elif times is None or times.has_nulls():  # parsing dates takes many times as long
            times = self._evaluate(column, time_of(column, dtype, unit, years=years))
        missing = (
            times.is_null() if required else times.is_null() & self._evaluate(column, pl.col(column).is_not_null())
        )
        right = (
            f"right are texts of the form {form!r}, as `time_format` says"
            if in_form
            else f"right are numbers ({unit} since 1970) and ISO dates (2024-12-31); other forms need `time_format`"
        )
        times = self._usable(times, missing, column, "not a time", right)
        far = times.abs() > FAR_FUTURE
        return self._usable(times, far, column, f"beyond the year 3000 if in {unit}", "set `time_unit: ms` (or us)")

    def texts(self, columns: Sequence[str]) -> pl.Series:
        """Return a text for each row: the values in these columns, joined with " - "; missing values are left out."""
        import polars as pl

        parts = [self.values(name).cast(pl.String) for name in columns]
        return pl.select(pl.concat_str(parts, separator=" - ", ignore_nulls=True)).to_series()

    def labels(self, owner: str, columns: Mapping[str, str], separator: str) -> pl.DataFrame:
        """Return a frame of two columns, `owner` and `label`, with a row for each value in the given columns.

        `owner` is the name of the file's column of ids, which becomes the column `owner`. `columns` maps the name of
        each column of values to a prefix. With the prefix "genre" the value "jazz" becomes the label "genre:jazz", with
        "" it stays "jazz". A cell holds a list, or a text with several values between `separator`. A value that could
        not be an id is malformed, unless it is blank: then it is left out.
        """
        import polars as pl

        owners = self.ids(owner).cast(pl.String)
        parts = []
        for name, kind in columns.items():
            values = self._several(name, separator)
            odd = values.list.eval(_is_odd(pl.element())).list.any()
            values = self._usable(values, odd, name, "not an id", f"a value {_ID_RULE}")
            exploded = pl.DataFrame({"owner": owners, "value": values}).explode("value")
            label = pl.lit(f"{kind}:" if kind else "") + pl.col("value")
            parts.append(
                exploded.filter(pl.col("value").fill_null("") != "", pl.col("owner").is_not_null()).select(
                    "owner", label=label
                )
            )
        return pl.concat(parts) if parts else pl.DataFrame(schema={"owner": pl.String, "label": pl.String})

    def _several(self, column: str, separator: str) -> pl.Series:
        """Return a column as lists of texts: a list stays a list, and a text is cut at `separator`."""
        import polars as pl

        values = self.column(column)
        if isinstance(values.dtype, pl.List | pl.Array):
            lists = values.cast(pl.List(pl.String))
        else:
            lists = self.values(column).cast(pl.String).str.split(separator)
        return lists.list.eval(pl.element().str.strip_chars())

    def vectors(self, column: str) -> Floats:
        """Return a column of lists of numbers as float32 [rows, D], where D is the length of the longest list.

        A list of another length, or with a number that is not finite, is malformed; its row in the result has NaN or
        infinity.
        """
        import polars as pl

        values = self.column(column)
        if not isinstance(values.dtype, pl.List | pl.Array):
            raise DataError(f"{self.source.path}: column {column!r} must hold lists of numbers, not {values.dtype}")
        lists = values.cast(pl.List(pl.Float32))
        lengths = lists.list.len().fill_null(0).to_numpy()
        width = int(lengths.max(initial=1))
        lists = self._usable(lists, pl.Series(lengths != width), column, f"not a list of {width} numbers")
        vectors = lists.fill_null([np.nan] * width).explode().to_numpy().reshape(len(lists), width)
        broken = pl.Series(~np.isfinite(vectors).all(axis=1)) & lists.is_not_null()
        self._usable(lists, broken, column, "not a list of finite numbers")
        return vectors

    def _usable(self, values: pl.Series, bad: pl.Series, column: str, fault: str, right: str = "") -> pl.Series:
        """Return the values, null where `bad`, and report the bad rows as malformed.

        The message shows the first bad value, the `fault` in it and, if given, what would be `right`.
        """
        import polars as pl

        rows = bad.fill_null(False).arg_true()
        told = Fault(column, fault, right)
        if self.faults is not None:
            told = self.faults.next(told)
        told.of += len(bad)
        if not len(rows):
            return values
        if not told.rows:
            [told.first] = self._evaluate(column, pl.col(column).slice(rows[0], 1)).to_list()
        if self.faults is None:
            self._report(told, with_sizes(self.origin, self.source), rows)
        else:
            told.rows.append(rows if self.origin.rows is None else self.origin.rows.gather(rows))
        return pl.select(pl.when(~bad.fill_null(False)).then(values)).to_series()

    def _report(self, fault: Fault, origin: Origin, rows: pl.Series) -> None:
        """Report rows with this fault, by their numbers in `origin`, as malformed."""
        shown = "missing" if fault.first is None else f"{fault.first!r:.{_SHOWN}}, {fault.fault}"
        problem = f"column {fault.column!r} is {shown} ({len(rows)} of {fault.of} rows are bad)" + (
            f"; {fault.right}" if fault.right else ""
        )
        for path, lines in origin.places(rows):
            self.bad_lines.add(path, self._new(path, lines), problem, unit=self.source.unit)

    def _new(self, path: Path, lines: Sequence[int]) -> list[int]:
        """Return the lines that were not reported before, and remember them."""
        flags = self.reported.setdefault(path, bytearray())
        flags.extend(bytes(max(0, max(lines) + 1 - len(flags))))
        new = [line for line in lines if not flags[line]]
        for line in new:
            flags[line] = 1
        return new


def in_order(coded: pl.Series) -> pl.Series:
    """Convert a categorical column to type `Enum`; its categories are the texts that occur, in ascending order."""
    import polars as pl

    coded = coded.rechunk()
    texts_only = coded.drop_nulls()
    codes = texts_only.to_physical().to_numpy()
    row = np.zeros(codes.max(initial=0) + 1, np.uint32)  # for each code that occurs, one of its rows, from 1
    row[codes] = np.arange(1, len(codes) + 1, dtype=np.uint32)
    present = np.flatnonzero(row)
    texts = texts_only.gather(row[present] - 1).cast(pl.String)
    names = texts.sort()
    place = np.zeros(len(row), np.uint32)
    place[present[texts.arg_sort().to_numpy()]] = np.arange(len(present), dtype=np.uint32)
    return names.cast(pl.Enum(names)).gather(pl.Series(place).gather(coded.to_physical()))


def seconds(dates: pl.Series) -> pl.Series:
    """Convert dates or datetimes (in UTC if they have no zone) to float64 seconds since 1970; null stays null."""
    import polars as pl

    return dates.to_frame("date").select(_epoch(pl.col("date"))).to_series()


def parse_times(values: pl.Series, unit: TimeUnit = "s", *, years: bool = False) -> pl.Series:
    """Parse times to seconds since 1970, float64, null where a value is not a time.

    A time is a polars date or datetime, a text in ISO 8601 (taken as UTC if it has no zone), or a number in `unit`.
    With `years`, a value of four digits is a year, and means its 1 January.
    """
    name = "value"
    return values.to_frame(name).select(time_of(name, values.dtype, unit, years=years)).to_series()


def time_of(column: str, dtype: pl.DataType, unit: TimeUnit, *, years: bool = False) -> pl.Expr:
    """Express a column of type `dtype` as seconds since 1970, float64, null where a value is not a time.

    `parse_times` says which values are times.
    """
    import polars as pl

    value = pl.col(column)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _epoch(value)
    readings = [_number_time(column, unit)]
    text = value.cast(pl.String, strict=False)
    if years:
        year = text.str.extract(r"^([12]\d{3})(?:\.0)?$").cast(pl.Int32)
        readings.insert(0, _epoch(pl.date(year, 1, 1)))
    if not dtype.is_numeric():
        iso = text.str.strip_chars().str.replace(r"^(\S+) (\S+)$", "${1}T${2}").str.replace(r"[zZ]$", "+00:00")
        readings += [_epoch(iso.str.to_datetime(form, strict=False, time_unit="us")) for form in ISO_FORMATS]
    return pl.coalesce(readings)


def formatted_time(column: str, form: str) -> pl.Expr:
    """Express texts of the strptime format `form` as seconds since 1970, float64, null where invalid."""
    import polars as pl

    text = pl.col(column).cast(pl.String, strict=False).str.strip_chars().str.strip_suffix(".0")
    zoned = "%z" in form or "%:z" in form
    return _epoch(text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC" if zoned else None))


def number_of(column: str, dtype: pl.DataType, decimal: str = ".", thousands: str | None = None) -> pl.Expr:
    """Express a column of type `dtype` as float64, null where a value is not a number.

    Numbers that are texts have the decimal mark `decimal`, and `thousands`, if given, between thousands.
    """
    import polars as pl

    if dtype != pl.String:
        return pl.col(column).cast(pl.Float64, strict=False)
    text = pl.col(column).str.strip_chars()
    if thousands is not None:
        text = text.str.replace_all(thousands, "", literal=True)
    if decimal != ".":
        text = text.str.replace(decimal, ".", literal=True)
    return text.cast(pl.Float64, strict=False)


def _number_time(column: str, unit: TimeUnit) -> pl.Expr:
    """Express a column of numbers as seconds since 1970, null where a value is not a finite number."""
    import polars as pl

    number = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number / PER_SECOND[unit])


def _is_odd(text: pl.Expr) -> pl.Expr:
    """Express whether texts cannot be meant as ids."""
    return (text.str.len_bytes() > LONGEST_ID) | text.str.contains(_NOT_IN_IDS)


def _is_stated(column: str) -> pl.Expr:
    """Express whether a value is given: neither null, NaN nor an empty text."""
    import polars as pl

    return ~pl.col(column).cast(pl.String).str.strip_chars().fill_null("").is_in(["", "NaN"])


def _epoch(date: pl.Expr) -> pl.Expr:
    """Express dates or datetimes (in UTC if they have no zone) as float64 seconds since 1970."""
    import polars as pl

    return date.dt.epoch("us").cast(pl.Float64) / 1e6
