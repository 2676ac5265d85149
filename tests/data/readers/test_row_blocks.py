"""Files that are read in blocks give what they give when they are read at once: data, notes and errors."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridrec import DataError
from hybridrec.data import partitions
from hybridrec.data.readers import row_blocks, table
from hybridrec.data.readers.table import TableReader

WEIGHTS = (
    {},
    {"threshold": 2},
    {"threshold": 3, "dislike": 1},
    {"transform": "log"},
    {"transform": "binary", "dislike": 0},
)
KINDS = ({}, {"buy": 2, "skip": -1}, {"buy": 1, "view": 0}, {"buy": 0.5})
INTEGERS = st.one_of(st.integers(-12, 12), st.sampled_from([-(2**63), 2**62, 10**6]))
TEXTS = st.sampled_from(["a", "B", "é", "10", "9", "7.0", "가", "\x00bad", " ", "x" * 20])
FLOATS = st.sampled_from([1.0, 2.0, 10.0, 2.5])
NUMBERS = {
    "time": st.sampled_from([0, 5, 7, 10**9]),
    "weight": st.sampled_from([0.0, 1.0, 2.0, 3.5, -1.0, float("nan")]),
    "position": st.integers(0, 3),
    "group": st.integers(-2, 2),
    "gain": st.sampled_from([0.5, 1.0, 9.0]),
}


@st.composite
def tables(draw):
    """Draw a table of interactions, the roles of its columns, and other options of the reader."""
    rows = draw(st.integers(1, 25))

    def column(values, missing=False):
        return st.lists(st.one_of(st.none(), values) if missing else values, min_size=rows, max_size=rows)

    some = draw(st.booleans())
    users, items = (
        draw(column(draw(st.sampled_from([INTEGERS, TEXTS, FLOATS])), some)),
        st.sampled_from([INTEGERS, TEXTS]),
    )
    ids = draw(items)
    listed = draw(st.booleans())
    values = draw(column(st.lists(ids, max_size=3) if listed else ids, some))
    kinds = {True: pl.Int64, False: pl.String}
    dtype = kinds[ids is INTEGERS]
    frame = {"user": pl.Series(users), "item": pl.Series(values, dtype=pl.List(dtype) if listed else dtype)}
    names = draw(st.sets(st.sampled_from(sorted(NUMBERS))))
    for name in sorted(names):
        frame[name] = pl.Series(draw(column(NUMBERS[name], some)))
    weight = draw(st.sampled_from(WEIGHTS)) if "weight" in names else {"transform": "binary"}
    roles, kinds = {name: name for name in ("user", "item", *names)}, draw(st.sampled_from(KINDS))
    if draw(st.booleans()):
        given = st.sampled_from([*kinds, "buy", *(["gift"] if some else [])])
        frame["kind"] = pl.Series(draw(column(given, some)), dtype=pl.String)
        roles["event"] = "kind"
    elif kinds:
        roles["event_kind"] = draw(st.sampled_from([None, "buy"]))
    return pl.DataFrame(frame), roles, {"weight": weight, "kinds": kinds}


def read(path, roles, options, strict=False):
    """Return the reader and the data, or the error that reading raised."""
    reader = TableReader(TableReader.Config(interactions={"path": path, **roles}, strict=strict, **options))
    try:
        return reader.read(), reader.notes()
    except DataError as error:
        return str(error), None


def both(path, roles, options, strict=False, rows=(3, 4)):
    """Return the results of reading at once, and of reading in tiny blocks and parts."""
    at_once = read(path, roles, options, strict)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(row_blocks, "LONG", 0)
        patched.setattr(row_blocks, "BLOCK", rows[0])
        patched.setattr(partitions, "PART", rows[1])
        patched.setattr(partitions, "_PENDING", 5)
        called = []
        histories = partitions.histories
        patched.setattr("hybridrec.data.readers.table.histories", lambda *given: called.append(1) or histories(*given))
        in_blocks = read(path, roles, options, strict)
    assert isinstance(in_blocks[0], str) or called, "the file was read at once"
    return at_once, in_blocks


def same(first, second):
    """Assert that two results of `read` are the same: fingerprint, every array with its type, and notes."""
    (data, notes), (other, others) = first, second
    if isinstance(data, str):
        assert other == data
        return
    arrays, again = data.state(), other.state()
    assert list(arrays) == list(again)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array, err_msg=name)
        assert not again[name].flags.writeable or array.flags.writeable
    assert other.fingerprint == data.fingerprint
    assert others == notes


@settings(max_examples=80, deadline=None)
@given(tables(), st.booleans(), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_blocks_and_parts_of_any_size_change_no_number(tmp_path_factory, drawn, strict, rows):
    frame, roles, options = drawn
    path = tmp_path_factory.getbasetemp() / "plays.parquet"
    frame.write_parquet(path, row_group_size=4)
    same(*both(path, roles, options, strict, rows))


def test_a_folder_of_parts_is_read_in_blocks_and_names_the_rows_of_each_part(tmp_path):
    folder = tmp_path / "plays"
    folder.mkdir()
    for number, users in enumerate((["a", "b", None], ["c", "a"], [None, "b"])):
        pl.DataFrame({"user": users, "item": range(len(users))}).write_parquet(folder / f"part-{number}.parquet")
    roles = {"user": "user", "item": "item"}
    at_once, in_blocks = both(folder, roles, {})
    same(at_once, in_blocks)
    assert "part-2.parquet: 1 malformed line was skipped; row 1: column 'user' is missing (2 of 7" in in_blocks[1][1]
    same(*both(folder, roles, {}, strict=True))


def test_integers_with_more_bits_than_arrays_have_are_read_in_blocks(tmp_path):
    path = tmp_path / "plays.parquet"
    users = pl.Series([2**100, 1, 2**100], dtype=pl.Int128)
    pl.DataFrame({"user": users, "item": ["a", "b", "b"]}).write_parquet(path)
    at_once, in_blocks = both(path, {"user": "user", "item": "item"}, {})
    same(at_once, in_blocks)
    assert at_once[0].users.vocabulary.ids.to_list() == ["1", str(2**100)]


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ({"context": {"shop": "category"}}, {}),
        ({"event_kind": "buy"}, {"asked": ["buy"]}),
        ({}, {"weight": {"half_life": 3}}),
    ],
)
def test_columns_that_depend_on_all_rows_are_read_at_once(tmp_path, monkeypatch, more, options):
    path = tmp_path / "plays.parquet"
    pl.DataFrame({"user": [1, 2], "item": [3, 4], "time": [0, 86400], "shop": ["a", "b"]}).write_parquet(path)
    roles = {"user": "user", "item": "item", "time": "time", **more}
    monkeypatch.setattr(row_blocks, "LONG", 0)
    monkeypatch.setattr(row_blocks.FileBlocks, "__iter__", lambda self: pytest.fail("read in blocks"))
    data, _ = read(path, roles, options)
    assert len(data.users) == 2


def test_a_file_with_other_rows_at_the_second_reading_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "plays.parquet"
    pl.DataFrame({"user": [1, 2], "item": [3, 4]}).write_parquet(path)
    monkeypatch.setattr(row_blocks, "LONG", 0)
    histories = partitions.histories

    def after_a_change(*given, users=(1, 2)):
        pl.DataFrame({"user": users, "item": [3] * len(users)}).write_parquet(path)
        return histories(*given)

    roles = {"user": "user", "item": "item"}
    for users in ((1, 2, 2), (1, 7)):
        pl.DataFrame({"user": [1, 2], "item": [3, 4]}).write_parquet(path)
        monkeypatch.setattr(
            "hybridrec.data.readers.table.histories", lambda *given, users=users: after_a_change(*given, users=users)
        )
        message, _ = read(path, roles, {})
        assert "changed while" in message


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("ids", [["a", "b"], [1, 2]])
def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path, monkeypatch, ids, blocks):
    """The rows in another order have the same ids, but some would be read twice and others never."""
    path = tmp_path / "plays.parquet"
    frame = pl.DataFrame({"user": ids, "item": ids})
    frame.write_parquet(path)
    for name, value in (("LONG", 0), ("BLOCK", 1)):
        monkeypatch.setattr(row_blocks, name, value)
    read_blocks = []
    interactions = table._interactions

    def then_replaced(block):
        result = interactions(block)
        read_blocks.append(block)
        if len(read_blocks) == blocks:
            frame.reverse().write_parquet(tmp_path / "other.parquet")
            (tmp_path / "other.parquet").replace(path)
        return result

    monkeypatch.setattr(table, "_interactions", then_replaced)
    result, _ = read(path, {"user": "user", "item": "item"}, {})
    assert len(read_blocks) >= 2
    if blocks == 3 and isinstance(ids[0], str):  # texts are read once
        assert len(result.users) == 2
    else:
        assert "plays.parquet changed while it was read" in result


def test_too_little_room_for_temporary_files_is_told_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "plays.parquet"
    pl.DataFrame({"user": [1, 2], "item": [3, 4], "time": [1, 2]}).write_parquet(path)
    monkeypatch.setattr(row_blocks, "LONG", 0)
    monkeypatch.setattr("hybridrec.data.scratch.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 63}))
    monkeypatch.setattr("hybridrec.data.scratch.ColumnFile.append", lambda *given: pytest.fail("written"))
    message, _ = read(path, {"user": "user", "item": "item", "time": "time"}, {})
    assert "sorting 2 interactions takes 64 bytes of temporary files in" in message
    assert "TMPDIR" in message
    assert str(Path(message.split(" in ")[1].split(", which")[0])) in message
