"""Profiles of columns whose role is unknown: types, missing and distinct values, repeats, forms of times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from hybridrec.data.io.columns import FAR_FUTURE, PER_SECOND, TimeUnit, formatted_time, number_of, time_of
from hybridrec.types import Doubles

if TYPE_CHECKING:
    import polars as pl

ColumnType: TypeAlias = Literal["empty", "list", "nested", "time", "clock", "year", "flag", "number", "text"]

MISSING = ("NULL", "null", "None", "NaN", "nan", "NA", "N/A", "n/a", "?", "\\N")
"""Texts that commonly stand for a missing value."""
MOSTLY = 0.98
"""A column has a type if at least this share of its values has it; its other values are bad."""
DAYS_FIRST = ("%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%y", "%d/%m/%y", "%d.%m.%y")
OTHER_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d-%b-%y",
    "%B %d, %Y",
)
WHOLE_TIMES = (
    "%a %b %d %H:%M:%S %z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S%.f UTC",
    "%Y-%m-%d %H:%M:%S %z",
)
"""Forms of a date and a time of day that programs write, with names of days or with a zone."""
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p")
CLOCK = r"^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?$"
BRACKETS = r"(?s)^(\[.*\]|\{.*\})$"
"""Texts that are whole lists or objects, as Python or JSON writes them."""
FLAGS = frozenset(("true", "false", "yes", "no", "t", "f", "y", "n"))
EARLIEST = -2208988800.0
"""The year 1900 in seconds since 1970."""
FIRST_EPOCH = 315532800.0
"""The year 1980 in seconds since 1970: numbers that are times are later."""


@dataclass(frozen=True, slots=True)
class TimeForm:
    """The form of a column of times.

    unit: the unit of values that are numbers since 1970; else None
    form: the strptime format of the values; None if none is needed: for numbers since 1970, typed dates and ISO 8601
    ambiguous: the same format with day and month exchanged, if the values fit it as well and nothing decides between
        the two; else None
    """

    unit: TimeUnit | None = None
    form: str | None = None
    ambiguous: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """The type of a column, and figures about its values.

    type: the type of the values; a cell of the type "list" holds several values, a cell of the type "nested" holds
        objects, lists of lists, or text in brackets
    rows, stated, distinct: the number of rows, of rows with a value, and of different values
    missing: texts in the column that stand for a missing value
    numbers: (the smallest number, the greatest number, True if all numbers are integers); None unless the type is
        "number" or "year"
    decimal, thousands: the decimal mark and the mark between thousands in numbers that are texts
    time: the form of times; None unless the type is "time"
    length: the mean number of characters of a value
    separator: the mark between several values in one cell; None if cells have one value
    bad: the number of values that are not of the type
    """

    name: str
    type: ColumnType
    rows: int
    stated: int
    distinct: int
    missing: tuple[str, ...] = ()
    numbers: tuple[float, float, bool] | None = None
    decimal: str = "."
    thousands: str | None = None
    time: TimeForm | None = None
    length: float = 0.0
    separator: str | None = None
    bad: int = 0

    @property
    def repeats(self) -> float:
        """The mean number of times that a value occurs."""
        return self.stated / max(1, self.distinct)

    @property
    def is_unique(self) -> bool:
        """True if no row lacks a value and no value occurs twice."""
        return self.stated == self.rows == self.distinct

    @property
    def may_be_id(self) -> bool:
        """True if the values can name things: they are not times, fractions, flags, lists, long texts or constants."""
        if self.type == "number":
            assert self.numbers is not None
            return self.numbers[2] and self.numbers[0] >= 0 and self.distinct > 1
        return self.type == "text" and self.distinct > 1 and self.length <= 100


def profile_column(values: pl.Series) -> ColumnProfile:
    """Return the profile of a column, whose values are texts as in a csv file or have a type as in a Parquet file."""
    import polars as pl

    rows = len(values)
    if values.dtype.is_nested() and _holds_objects(values.dtype):
        return ColumnProfile(values.name, "nested", rows, rows - values.null_count(), rows)
    if values.dtype.is_nested():
        inner = values.explode().drop_nulls()
        return ColumnProfile(values.name, "list", rows, rows - values.null_count(), inner.n_unique())
    if values.dtype.is_float():
        values = values.fill_nan(None)
    column = values.alias("value")
    texts = column.cast(pl.String, strict=False).str.strip_chars()
    is_missing = texts.is_in([*MISSING, ""]) | texts.is_null()
    stated = texts.filter(~is_missing)
    present = texts.filter(is_missing).unique().drop_nulls().to_list()
    missing = tuple(text for text in MISSING if text in present)
    if not len(stated):
        return ColumnProfile(values.name, "empty", rows, 0, 0, missing)
    distinct = stated.unique(maintain_order=True)
    basics = {"rows": rows, "stated": len(stated), "distinct": len(distinct), "missing": missing}
    basics["length"] = _mean(stated.str.len_chars())
    typed = column.filter(~is_missing)
    time = TimeForm() if values.dtype.is_temporal() else _time_form(distinct, typed.dtype, stated)
    if time is not None:
        bad = 0 if values.dtype.is_temporal() else int(_as_time(stated, time).is_null().sum())
        return ColumnProfile(values.name, "time", time=time, bad=bad, **basics)  # type: ignore[arg-type]
    if _mean(distinct.str.contains(BRACKETS)) >= MOSTLY:
        return ColumnProfile(values.name, "nested", **basics)  # type: ignore[arg-type]
    if _mean(distinct.str.contains(CLOCK)) >= MOSTLY:
        return ColumnProfile(values.name, "clock", **basics)  # type: ignore[arg-type]
    if values.dtype == pl.Boolean or (len(distinct) == 2 and set(distinct.str.to_lowercase()) <= FLAGS):
        return ColumnProfile(values.name, "flag", **basics)  # type: ignore[arg-type]
    decimal, thousands = _marks(distinct)
    numbers = stated.to_frame("value").select(number_of("value", pl.String(), decimal, thousands)).to_series()
    if (bad := int(numbers.is_null().sum())) <= (1 - MOSTLY) * len(stated):
        finite = numbers.drop_nulls().to_numpy()
        extent = (float(finite.min()), float(finite.max()), bool((finite == finite.round()).all()))
        is_year = extent[2] and extent[0] >= 1800 and extent[1] <= 2100 and decimal == "." and thousands is None
        kind: ColumnType = "year" if is_year and bad == 0 else "number"
        return ColumnProfile(
            values.name,
            kind,
            numbers=extent,
            decimal=decimal,
            thousands=thousands,
            bad=bad,
            **basics,  # type: ignore[arg-type]
        )
    return ColumnProfile(values.name, "text", separator=_separator(stated), **basics)  # type: ignore[arg-type]


def times_of(values: pl.Series, time: TimeForm) -> Doubles:
    """Return a column of times of this form as seconds since 1970: float64, NaN where a value is not a time."""
    import polars as pl

    if values.dtype.is_temporal():
        seconds = values.alias("value").to_frame().select(time_of("value", values.dtype, "s")).to_series()
    else:
        seconds = _as_time(values.cast(pl.String, strict=False).str.strip_chars(), time)
    return seconds.fill_null(float("nan")).to_numpy()


def _as_time(texts: pl.Series, time: TimeForm) -> pl.Series:
    import polars as pl

    frame = texts.alias("value").to_frame()
    if time.form is not None:
        return frame.select(formatted_time("value", time.form)).to_series()
    return frame.select(time_of("value", pl.String(), time.unit or "s")).to_series()


def _time_form(distinct: pl.Series, dtype: pl.DataType, stated: pl.Series) -> TimeForm | None:
    """Return the form in which nearly all values are times after 1900; None if they are not times."""

    sample = distinct.gather_every(max(1, len(distinct) // 2000))

    def fits(time: TimeForm, earliest: float = EARLIEST) -> bool:
        seconds = _as_time(sample, time)
        inside = seconds.is_between(earliest, FAR_FUTURE / 10)  # up to the year 2073
        return _mean(inside.fill_null(False)) >= MOSTLY

    if _mean(sample.str.contains(r"^\d{8}(\.0)?$")) >= MOSTLY and fits(TimeForm(form="%Y%m%d")):
        return TimeForm(form="%Y%m%d")
    if _mean(sample.str.contains(r"^\d{9,}(\.\d+)?$")) >= MOSTLY:
        units = [unit for unit in PER_SECOND if fits(TimeForm(unit=unit), FIRST_EPOCH)]
        return TimeForm(unit=units[0]) if units else None
    # A date has at least three digits. Most names have fewer, and need not be tried with each of some 200 forms.
    if dtype.is_numeric() or not _mean(sample.str.contains(r"\d.*\d.*\d")) >= MOSTLY:
        return None
    if _mean(sample.str.contains(r"^\d{4}-\d{2}-\d{2}")) >= MOSTLY and fits(TimeForm()):
        return TimeForm()
    if _mean(sample.str.contains(r"^[-+]?\d*\.?\d*$")) >= MOSTLY:
        return None  # plain numbers fit no form with a mark between year, month and day
    for form in WHOLE_TIMES:
        if fits(TimeForm(form=form)):
            return TimeForm(form=form)
    for date in OTHER_DATES:
        for clock in CLOCKS:
            for form in (date + clock, date + clock.replace(" ", "T", 1)):
                if fits(TimeForm(form=form)):
                    return TimeForm(form=form)
    for date in DAYS_FIRST:
        for clock in CLOCKS:
            day = TimeForm(form=date + clock)
            month = TimeForm(form=_swapped(date) + clock)
            readings = [time for time in (day, month) if fits(time)]
            if len(readings) == 2:
                return _in_file_order(stated, day, month)
            if readings:
                return readings[0]
    return None


def _holds_objects(dtype: pl.DataType) -> bool:
    """Return True for a nested type other than a list of plain values: objects, lists of objects, lists of lists."""
    import polars as pl

    return not isinstance(dtype, pl.List | pl.Array) or dtype.inner.is_nested()


def _mean(flags: pl.Series) -> float:
    """Return the mean of a column, for booleans the share of true values; 0 for an empty column."""
    return float(flags.mean() or 0.0)  # type: ignore[arg-type]


def _swapped(date: str) -> str:
    return date.replace("%d", "%x").replace("%m", "%d").replace("%x", "%m")


def _in_file_order(stated: pl.Series, day: TimeForm, month: TimeForm) -> TimeForm:
    """Choose between two readings of a column of dates: day first (`day`) or month first (`month`).

    The rows of a file are often in order of time. Return the reading by which nearly all are, ascending or descending,
    if it is clearly better than the other. Otherwise return `day`, with the format of `month` in its field `ambiguous`.
    """
    inversions = []
    for time in (day, month):
        steps = _as_time(stated, time).diff().drop_nulls()
        up, down = _mean(steps >= 0), _mean(steps <= 0)
        inversions.append(1 - max(up, down))
    better = day if inversions[0] <= inversions[1] else month
    if min(inversions) < 0.02 and max(inversions) > 2 * min(inversions) + 0.005:
        return better
    return TimeForm(form=day.form, ambiguous=month.form)


def _marks(distinct: pl.Series) -> tuple[str, str | None]:
    """Return (decimal mark, mark between thousands) of numbers that are texts; the second is None if there is none."""
    shapes = {
        (".", ","): r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$",
        (",", None): r"^[-+]?\d+,\d+$",
        (",", "."): r"^[-+]?\d{1,3}(\.\d{3})*(,\d+)?$",
        (",", " "): r"^[-+]?\d{1,3}( \d{3})+(,\d+)?$",
        (".", "'"): r"^[-+]?\d{1,3}('\d{3})+(\.\d+)?$",
    }
    plain = distinct.str.contains(r"^[-+]?\d*\.?\d+([eE][-+]?\d+)?$")
    for (decimal, thousands), shape in shapes.items():
        fitting = distinct.str.contains(shape)
        number = distinct.str.contains(r"^[-+]?\d+$")
        rest = number if decimal == "," else plain
        mark = "," if decimal == "," and thousands != " " else thousands or ","
        has_mark = (fitting & distinct.str.contains(mark, literal=True)).any()
        if has_mark and _mean(fitting | rest) >= MOSTLY:
            return decimal, thousands
    return ".", None


def _separator(stated: pl.Series) -> str | None:
    """Return the mark between several values in one cell; None if cells have one value.

    A mark must occur in a tenth of the cells, and the values that it separates must occur twice on average. A slash is
    not a mark, as names ("Hip-Hop/Rap") and addresses on the web contain it.
    """
    for mark in ("|", ";", ","):
        several = stated.filter(stated.str.contains(mark, literal=True))
        if len(several) < max(1, 0.1 * len(stated)):
            continue
        values = several.str.split(mark).explode().str.strip_chars()
        if values.n_unique() <= 0.5 * len(values):
            return mark
    return None


def words_of(column: str) -> list[str]:
    """Cut the name of a column into words in lower case.

    >>> words_of("listenedAt"), words_of("best_book_id"), words_of("CustomerID"), words_of("visitorid")
    (['listened', 'at'], ['best', 'book', 'id'], ['customer', 'id'], ['visitor', 'id'])
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column)
    return [piece for word in words for piece in GLUED.sub(r"\1 \2", word.lower()).split()]


GLUED = re.compile(r"^([a-z]{3,})(id|name|price|code)$")
"""A word that ends in another one, as in names of columns that are written without capitals and underscores."""


def describe_types(columns: Iterable[ColumnProfile]) -> str:
    """Return one line with the name of each column, its type, and its numbers of distinct and of stated values.

    If there are more than SHOWN columns, the line has the first SHOWN columns and the number of the others.
    """
    described = [f"{column.name} ({_described(column)})" for column in columns]
    more = [f"{len(described) - SHOWN:,} more columns"] if len(described) > SHOWN else []
    return ", ".join([*described[:SHOWN], *more])


SHOWN = 20
"""The largest number of columns that a line describes."""


def _described(column: ColumnProfile) -> str:
    if column.type == "nested":
        return "objects or lists in its cells"
    if column.type in ("empty", "list"):
        return column.type
    return f"{column.type}, {column.distinct:,} distinct of {column.stated:,}"
