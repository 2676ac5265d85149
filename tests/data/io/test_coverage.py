"""Side files whose ids match few or none of those in the interactions are told, with the numbers and an id."""

import polars as pl
import pytest

from hybridrec.data.io import coverage
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError

PLAYS = "user,item\n" + "".join(f"u{user},i{user * n % 30}\n" for user in range(20) for n in range(1, 9))


@pytest.fixture
def notes(tmp_path):
    """The notes of a reader of interactions and the given tables."""

    def read(strict=True, **tables):
        (tmp_path / "plays.csv").write_text(PLAYS)
        mapping = {"interactions": {"path": "plays.csv", "user": "user", "item": "item"}, "strict": strict}
        for name, (frame, options) in tables.items():
            frame.write_csv(tmp_path / f"{name}.csv")
            options = {"path": f"{name}.csv", **options}
            mapping[name] = {"tags": options} if name in ("user_has", "item_has", "assignments") else options
        reader = TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path}))
        reader.read()
        return reader.notes()

    return read


def items(count, prefix="i"):
    return pl.DataFrame({"id": [f"{prefix}{n}" for n in range(count)], "title": "a"}), {"id": "id", "text": ["title"]}


def test_all_that_matches_is_not_mentioned(notes):
    tags = pl.DataFrame({"item": [f"i{n}" for n in range(30)], "tag": "x"})
    assert notes(items=items(40), item_has=(tags, {"item": "item", "id": "tag"})) == []


def test_items_that_are_not_described_are_counted(notes, monkeypatch):
    (note,) = notes(items=items(4))
    assert note.startswith("items.csv describes 4 of the ")
    assert note.endswith("items of plays.csv; of the others only the id is known")
    monkeypatch.setattr(coverage, "FEW", 0.1)
    assert notes(items=items(4)) == []


@pytest.mark.parametrize("name", ["user_has", "item_has", "assignments", "impressions"])
def test_rows_about_nothing_are_counted(notes, name):
    frame = pl.DataFrame({"user": ["u1", "u2", "nobody"], "item": ["i1", "nothing", "nothing"], "tag": ["x"] * 3})
    roles = {
        "user_has": {"user": "user", "id": "tag"},
        "item_has": {"item": "item", "id": "tag"},
        "assignments": {"user": "user", "item": "item", "id": "tag"},
        "impressions": {"user": "user", "item": "item"},
    }
    told = notes(**{name: (frame, roles[name])})
    expected = {
        "user": f"{name}.csv: 1 of 3 rows are about unknown users and are ignored, the first about 'nobody'",
        "item": f"{name}.csv: 2 of 3 rows are about unknown items and are ignored, the first about 'nothing'",
    }
    assert told == [line for role, line in expected.items() if role in roles[name]]


def test_a_file_without_rows_describes_nothing(notes, tmp_path):
    note = "items.csv describes 0 of the 29 items of plays.csv; of the others only the id is known"
    assert notes(items=items(0)) == [note]
    assert notes(items=(pl.DataFrame({"id": [None], "x": ["a"]}), {"id": "id"}), strict=False)[-1] == note


def test_a_file_that_matches_nothing_is_refused_with_an_id_of_either_side(notes):
    says = r"items.csv: none of its 5 items is in plays.csv; they are written like 'song 0' here and like 'i0' there"
    with pytest.raises(DataError, match=says):
        notes(items=items(5, "song "))
    tags = pl.DataFrame({"item": ["1.0", "2.0x"], "tag": ["x", "y"]})
    with pytest.raises(DataError, match=r"item_has.csv: none of its 2 items is in plays.csv"):
        notes(item_has=(tags, {"item": "item", "id": "tag"}))
    (note,) = notes(strict=False, items=items(5, "song "))
    assert note.startswith("items.csv: none of its 5 items")
