"""Defaults of readers: nobody's format, no tables from Python, and silence about lines that are all sound."""

from pathlib import Path

import pytest

from hybridrec import DataError, Reader
from hybridrec.data.io.bad_lines import BadLineOptions, BadLines
from hybridrec.testing import toy_dataset


class Plain(Reader):
    """The toy, whatever the file says."""

    name = "plain"

    def read(self):
        return toy_dataset()


class Lined(Plain):
    """The same, after a malformed line."""

    name = "lined"
    Config = BadLineOptions

    def read(self):
        self.bad_lines = BadLines(strict=self.config.strict)
        self.bad_lines.add(Path("plays.txt"), [4], "no user")
        return super().read()


def test_a_reader_that_knows_no_bad_lines_has_no_notes():
    reader = Plain()
    reader.read()
    assert reader.notes() == []


def test_skipped_lines_are_noted_once_they_are_read():
    reader = Lined(BadLineOptions(strict=False))
    assert reader.notes() == []
    reader.read()
    reader.read()  # and counted from anew
    assert reader.notes() == ["plays.txt: 1 malformed line was skipped; line 4: no user"]
    with pytest.raises(DataError, match=r"plays\.txt, line 4: no user; `strict: false`"):
        Lined().read()


def test_a_format_without_characteristic_names_is_recognised_by_no_reader():
    assert Plain.recognises([Path("plays.csv")]) is None


def test_tables_from_python_belong_to_one_reader_alone():
    with pytest.raises(TypeError):
        Plain().frames["interactions"] = None
    first, second = Plain(), Plain()
    first.frames = {"interactions": None}
    assert dict(second.frames) == {}
