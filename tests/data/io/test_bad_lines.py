"""Malformed lines are an error, or are passed over and counted, with the first places."""

from pathlib import Path

import pytest

from hybridrec.data.io.bad_lines import SHOWN, BadLines
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError
from tests.data.tables import PLAYS


def test_malformed_values_are_passed_over_and_counted(read, tmp_path):
    content = "uid,song,w\n1,a,1\n2,,1\n3,c,much\n4,d,-1\n1,e,2\n"
    with pytest.raises(DataError, match=r"plays.csv, line 3: .*`strict: false` skips malformed lines"):
        read({"plays.csv": content}, interactions={**PLAYS, "weight": "w"})
    options = {"interactions": {**PLAYS, "weight": "w"}, "strict": False}
    reader = TableReader(TableOptions.model_validate(options, context={"folder": tmp_path}))
    data = reader.read()
    assert list(data.items.vocabulary.ids) == ["a", "e"]
    (note,) = reader.notes()
    assert "plays.csv: 3 malformed lines were skipped; the first: line 3: " in note
    assert all(place in note for place in ("line 4", "line 5"))


PLAYED = Path("plays.csv")


def test_a_strict_reading_ends_at_the_first_line_with_the_way_on():
    with pytest.raises(DataError) as refused:
        BadLines(strict=True).add(PLAYED, [7, 9], "no song")
    assert str(refused.value) == "plays.csv, line 7: no song; `strict: false` skips malformed lines"
    with pytest.raises(DataError, match=r"^plays\.csv, row 7: no song$"):  # nobody can set it
        BadLines(strict=True, option=False).add(PLAYED, [7], "no song", unit="row")


def test_no_lines_are_no_error():
    bad_lines = BadLines(strict=True)
    bad_lines.add(PLAYED, [], "no song")
    assert (bad_lines.count, bad_lines.notes()) == (0, [])


def test_all_lines_are_counted_and_the_first_are_named_for_each_file():
    bad_lines, other = BadLines(strict=False), Path("users.csv")
    bad_lines.add(PLAYED, [2, 5], "no song")
    bad_lines.add(other, [1], "no name", unit="row")
    bad_lines.add(PLAYED, range(10, 1000), "no user")
    assert bad_lines.count == 993
    assert SHOWN == 3
    assert bad_lines.notes() == [
        "plays.csv: 992 malformed lines were skipped; the first: lines 2 and 5: no song; line 10: no user",
        "users.csv: 1 malformed line was skipped; row 1: no name",
    ]
