"""Texts of a command line: columns by their types, times as numbers or dates, and what is refused."""

import numpy as np
import pytest

from hybridrec import DataError, FeatureColumn, Features
from hybridrec.serving.typed_values import read_columns, read_time

COLUMNS = Features(
    {
        "device": FeatureColumn("category", np.zeros((0, 1)), ("tv",)),
        "budget": FeatureColumn("number", np.zeros(0, np.float32)),
        "adult": FeatureColumn("flag", np.zeros(0, np.float32)),
        "since": FeatureColumn("time", np.zeros(0)),
    }
)


def test_columns_are_read_by_their_types():
    texts = {"device": "radio", "budget": "2.5", "adult": "True", "since": "1970-01-02"}
    assert read_columns(texts, COLUMNS, "--context") == {
        "device": "radio",
        "budget": 2.5,
        "adult": True,
        "since": 86400,
    }
    assert read_columns({}, None, "--context") == {}


@pytest.mark.parametrize(("name", "text", "says"), [
    ("devise", "tv", "unknown column 'devise': did you mean 'device'? Available: adult, budget, device, since"),
    ("budget", "cheap", "budget: 'cheap' is not a number"),
    ("budget", "nan", "budget: 'nan' is not a number"),
    ("adult", "maybe", "adult: 'maybe' is neither true nor false"),
    ("since", "lately", "since: 'lately' is not a time; write 2024-12-31"),
    ("since", "inf", "since: 'inf' is not a time"),
])  # fmt: skip
def test_other_columns_and_values_are_refused(name, text, says):
    with pytest.raises(DataError) as error:
        read_columns({name: text}, COLUMNS, "--context")
    assert str(error.value).startswith("--context")
    assert says in str(error.value)
    with pytest.raises(DataError, match=r"--context: unknown column .* none are available"):
        read_columns({name: text}, None, "--context")


def test_times_are_numbers_or_dates_in_utc():
    assert [read_time(text, "--time") for text in ("90", "1970-01-01T00:01:30", "1970-01-01T02:01:30+02:00")] == [
        90
    ] * 3
    assert read_time("1970-01-02", "--time") == 86400
