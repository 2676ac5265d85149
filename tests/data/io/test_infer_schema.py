"""Roles are inferred from evidence; files with defects lead to a mapping that reads them, or to a message."""

import pytest

from hybridrec.data.io.infer_schema import infer_schema
from hybridrec.data.io.interaction_columns import SchemaHints
from hybridrec.data.io.profile import profile
from hybridrec.errors import DataError
from tests.data.io.ugly_files import UGLY, table


@pytest.mark.parametrize("name", UGLY)
def test_an_ugly_file_is_read_or_refused_with_what_would_be_right(name, tmp_path):
    ugly = UGLY[name]
    paths = []
    for file, content in ugly.files.items():
        paths.append(tmp_path / file)
        paths[-1].write_bytes(content)
    if ugly.message:
        with pytest.raises(DataError, match=ugly.message):
            profile(paths, tmp_path, ugly.hints)
        return
    inferred = profile(paths, tmp_path, ugly.hints)
    for entry, expected in (("interactions", ugly.interactions), ("items", ugly.items)):
        mapping = inferred.data.get(entry, {})
        assert {key: mapping.get(key) for key in expected} == expected
    assert inferred.interactions == ugly.read
    assert ugly.users in (None, inferred.users)
    assert ugly.split in ("", inferred.split["use"])
    for note in ugly.notes:
        assert any(note in line for line in inferred.notes), inferred.notes


def test_a_question_settles_what_files_leave_open(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_bytes(table("user", "song", "date", rows=[("u1", "s1", "07/02/2012"), ("u2", "s1", "03/04/2012")] * 9))
    asked = []

    def choose(question, answers):
        asked.append((question, tuple(answers)))
        return "month"

    schema = infer_schema([path], tmp_path, SchemaHints(choose=choose))
    assert schema.mapping["interactions"]["time_format"] == "%m/%d/%Y"
    assert asked == [("plays.csv: is '07/02/2012' day first or month first?", ("day", "month"))]


@pytest.mark.parametrize(("largest", "weight"), [("3,000", None), ("1,234,567", {"transform": "log"})])
def test_the_tail_of_counts_is_read_in_the_marks_of_their_file(largest, weight, tmp_path):
    path = tmp_path / "plays.csv"
    rows = [(f"u{k % 30}", f"s{k % 41}", largest if k % 50 == 0 else f"{1 + k % 3},000") for k in range(400)]
    path.write_bytes(table("user", "song", "plays", separator=";", rows=rows))
    mapping = infer_schema([path], tmp_path).mapping
    assert mapping["interactions"]["thousands"] == ","
    assert mapping.get("weight") == weight


@pytest.mark.parametrize(("columns", "time"), [(("day", "month"), None), (("day", "shop"), "day")])
def test_a_day_beside_a_month_is_no_time_and_a_day_alone_is(columns, time, tmp_path):
    path = tmp_path / "plays.csv"
    rows = [(f"u{k % 30}", f"s{k % 41}", 1 + (k * k) % 31, 1 + k % 12) for k in range(400)]
    path.write_bytes(table("user", "song", *columns, rows=rows))
    schema = infer_schema([path], tmp_path)
    assert schema.mapping["interactions"].get("time") == time
    told = (*schema.reasons, *schema.notes)
    words = "time is 'day': its numbers give an order" if time else "it is a part of a time; one column must hold all"
    assert any(words in line for line in told), told
