"""Columns of users and items are found by evidence, which is told, and refused with those that are there."""

import pytest

from hybridrec.data.io.infer_schema import infer_schema
from hybridrec.data.io.interaction_columns import SchemaHints
from hybridrec.errors import DataError
from tests.data.io.ugly_files import table


def test_each_choice_has_a_reason_and_names_the_runner_up(tmp_path):
    path = tmp_path / "plays.csv"
    rows = [(f"u{k % 7}", f"b{k // 2}", f"s{k % 5}") for k in range(70)]
    path.write_bytes(table("customer", "basket", "song", rows=rows))
    schema = infer_schema([path], tmp_path)
    assert (
        "user is 'customer': called 'customer', 7 values that occur 10 times each; next came 'basket'" in schema.reasons
    )
    assert schema.users == "people"


def test_unknown_columns_and_files_are_refused_with_those_that_are_there(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_bytes(table("user", "song", "rating"))
    with pytest.raises(DataError, match=r"plays.csv has no column 'sogn'; did you mean 'song'"):
        infer_schema([path], tmp_path, SchemaHints(item="sogn"))
    with pytest.raises(DataError, match=r"other.csv is not among the files"):
        infer_schema([path], tmp_path, SchemaHints(interactions=tmp_path / "other.csv"))


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_files_that_are_called_the_same_are_told_apart(tmp_path, order):
    for folder, count in (("x", 3000), ("y", 100)):
        (tmp_path / folder).mkdir()
        rows = [(f"u{k % 20}", f"s{k * 7 % 33}", k % 5 + 1) for k in range(count)]
        (tmp_path / folder / "data.csv").write_bytes(table("user", "song", "rating", rows=rows))
    schema = infer_schema([tmp_path / folder / "data.csv" for folder in order], tmp_path)
    assert schema.mapping["interactions"]["path"] == "x/data.csv"
    assert "interactions are the rows of x/data.csv (3,000 rows)" in schema.reasons
    assert "y/data.csv is not used: interactions come from x/data.csv" in schema.notes
