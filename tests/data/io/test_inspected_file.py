"""Files of unknown role are read with what their first lines show."""

import pytest

from hybridrec.data.io.inspected_file import inspect_file
from tests.data.io.ugly_files import table

TRIPLETS = [(f"u{k % 30}", f"s{k % 41}", 1 + k % 3) for k in range(400)]


@pytest.mark.parametrize(
    ("given", "columns"), [(False, ["user", "item", "count"]), (True, ["column1", "column2", "column3"])]
)
def test_ids_and_counts_without_names_are_triplets_unless_a_person_names_columns(given, columns, tmp_path):
    path = tmp_path / "triplets.txt"
    path.write_bytes(table(rows=TRIPLETS, separator="\t"))
    file = inspect_file(path, tmp_path, columns_given=given)
    assert list(file.profiles) == columns
    assert file.options == {"path": "triplets.txt", "format": "tsv", "columns": columns}
    assert any("three columns without names" in note for note in file.notes) == (not given)


def test_shares_and_keys_of_a_column_are_those_of_its_ids(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_bytes(table("user", "song", rows=[("1.0", "a"), ("2.0", "b"), ("3.0", "b")]))
    file = inspect_file(path, tmp_path)
    assert list(file.keys("user").ids) == ["1", "2", "3"]
    assert file.share("song", file.keys("user")) == 0.0
    assert (file.determines("user", "song"), file.determines("song", "user")) == (1.0, pytest.approx(1 / 3))


def test_only_the_parts_that_are_read_are_counted(tmp_path):
    folder = tmp_path / "plays"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_bytes(table("user", "song", rows=[("u1", "a"), ("u2", "b"), ("u3", "b")]))
    (folder / "README.md").write_text("# Plays, by day\n")  # the first in the order of the names
    file = inspect_file(folder, tmp_path)
    assert (len(file.frame), file.frame.columns) == (6, ["user", "song"])
    assert file.notes == ("its 2 files are read as the parts of one table",)


def test_escapes_may_begin_in_a_later_part(tmp_path):
    folder = tmp_path / "plays"
    folder.mkdir()
    for name, note in (("a.csv", '"fine, {}"'), ("b.csv", r'"a 5\" disc, {}"')):
        rows = "".join(f"u{k % 7},s{k % 11},{note.format(k)},{k % 5}\n" for k in range(20))
        (folder / name).write_text(f"user,song,note,stars\n{rows}")
    file = inspect_file(folder, tmp_path)
    assert (len(file.frame), file.options["escape"]) == (40, "\\")
    assert file.frame["note"][20] == 'a 5" disc, 0'
