"""Columns are profiled by their values."""

import numpy as np
import polars as pl
import pytest

from hybridrec.data.io.column_profile import TimeForm, profile_column, times_of, words_of

TYPES = [
    (["1", "2", "2"], "number", None),
    (["4.5", "3"], "number", None),
    (["1999", "2001"], "year", None),
    (["yes", "no", "yes"], "flag", None),
    (["09:58:11", "7:05 pm"], "clock", None),
    (["blue moon", "autumn"], "text", None),
    (["", "NULL", "?"], "empty", None),
    (["1234567890", "1234567899"], "time", TimeForm(unit="s")),
    (["1234567890123", "1234567890125"], "time", TimeForm(unit="ms")),
    (["1477818000000000000", "1477818000000000001"], "time", TimeForm(unit="ns")),
    (["2013-01-01 ", "2013-01-02T10:11:12Z"], "time", TimeForm()),
    (["20000730", "20000801"], "time", TimeForm(form="%Y%m%d")),
    (["30-10-2016 09:58", "31-10-2016 10:00"], "time", TimeForm(form="%d-%m-%Y %H:%M")),
    (["1/13/2012", "2/14/2012"], "time", TimeForm(form="%m/%d/%Y")),
    (["7/02/2012 08:26:11 PM", "27/02/2012 01:02:03 AM"], "time", TimeForm(form="%d/%m/%Y %I:%M:%S %p")),
    (["07-Jan-2012", "8-Feb-2013"], "time", TimeForm(form="%d-%b-%Y")),
    (["7/02/2012", "11/12/2012"], "time", TimeForm(form="%d/%m/%Y", ambiguous="%m/%d/%Y")),
]


@pytest.mark.parametrize(("values", "kind", "time"), TYPES)
def test_types_are_those_of_nearly_all_values(values, kind, time):
    profile = profile_column(pl.Series("c", values))
    assert (profile.type, profile.time) == (kind, time)


def test_the_order_of_rows_tells_days_from_months():
    days = [f"{day}/{month}/2012" for month in range(1, 13) for day in range(1, 13)]
    assert profile_column(pl.Series("c", days)).time == TimeForm(form="%d/%m/%Y")
    months = [f"{month}/{day}/2012" for month in range(1, 13) for day in range(1, 13)]
    assert profile_column(pl.Series("c", months)).time == TimeForm(form="%m/%d/%Y")


@pytest.mark.parametrize(
    ("values", "marks", "extent"),
    [
        (["1,234.5", "12"], (".", ","), (12.0, 1234.5, False)),
        (["3,5", "4"], (",", None), (3.5, 4.0, False)),
        (["1.234,5", "1.000"], (",", "."), (1000.0, 1234.5, False)),
        (["1 234", "7"], (",", " "), (7.0, 1234.0, True)),
    ],
)
def test_marks_in_numbers_are_seen(values, marks, extent):
    profile = profile_column(pl.Series("c", values))
    assert (profile.decimal, profile.thousands) == marks
    assert profile.numbers == extent


def test_values_are_counted_without_missing_ones():
    profile = profile_column(pl.Series("c", ["a", "NULL", "b", "a", ""]))
    assert (profile.rows, profile.stated, profile.distinct, profile.missing) == (5, 3, 2, ("NULL",))
    assert not profile.is_unique
    assert profile.may_be_id
    floats = profile_column(pl.Series("c", [17850.0, None, float("nan")]))
    assert (floats.stated, floats.numbers) == (1, (17850.0, 17850.0, True))


def test_times_are_seconds():
    values = pl.Series("c", ["02.01.1970", "x"])
    np.testing.assert_array_equal(times_of(values, TimeForm(form="%d.%m.%Y")), [86400.0, np.nan])
    assert (
        times_of(pl.Series("c", [pl.date(1970, 1, 2)]).to_frame().select(pl.date(1970, 1, 2)).to_series(), TimeForm())[
            0
        ]
        == 86400
    )


def test_names_fall_into_words():
    assert words_of("listenedAt_2") == ["listened", "at"]
    assert words_of("CustomerID") == ["customer", "id"]


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["Rock/Pop", "Hip-Hop/Rap", "Rock"], None),
        (["rock|pop", "pop|jazz", "jazz"], "|"),
        (["rock", "pop", "jazz"], None),
        (["http://songs.org/a/1", "http://songs.org/b/2", "https://songs.org/c/3"], None),
    ],
)
def test_the_mark_between_values_is_one_whose_parts_recur(cells, mark):
    assert profile_column(pl.Series("genre", cells * 5)).separator == mark
