"""Files beside the interactions describe users and items."""

import pytest

from hybridrec.data.io.infer_schema import infer_schema
from hybridrec.data.io.inspected_file import inspect_file
from hybridrec.data.io.side_files import subject_of
from tests.data.io.ugly_files import table


def test_addresses_are_no_tags(tmp_path):
    plays, songs = tmp_path / "plays.csv", tmp_path / "songs.csv"
    plays.write_bytes(table("user", "song", "rating"))
    rows = [(f"s{k}", f"Song {k}", f"http://songs.org/s/{k}") for k in range(40)]
    songs.write_bytes(table(rows=rows))
    assert "tags" not in infer_schema([plays, songs], tmp_path).mapping.get("items", {})


@pytest.mark.parametrize(
    ("name", "columns", "subject"),
    [
        ("movies.csv", ("code", "colour"), "item"),
        ("x.csv", ("user_id", "colour"), "user"),
        ("x.csv", ("code", "gender"), "user"),
        ("x.csv", ("code", "genre"), "item"),
        ("x.csv", ("code", "colour"), ""),
    ],
)
def test_a_file_describes_users_or_items_by_its_name_and_its_columns(name, columns, subject, tmp_path):
    path = tmp_path / name
    path.write_bytes(table(*columns, rows=[(f"c{k}", "abc"[k % 3]) for k in range(9)]))
    assert subject_of(inspect_file(path, tmp_path), columns[0]) == subject
