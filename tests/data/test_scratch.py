"""Columns in temporary files come back as they were written, and leave nothing behind."""

import resource
import signal
import tempfile

import numpy as np
import pytest

from hybridrec import DataError
from hybridrec.data import scratch
from hybridrec.data.scratch import ColumnFile, require_space
from hybridrec.errors import WriteError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Put temporary files into a folder of the test."""
    monkeypatch.setattr(scratch, "scratch_folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_values_come_back_by_spans_and_mapped(folder, dtype):
    with ColumnFile(dtype) as column:
        column.append(np.arange(5))
        column.append(np.arange(5, 12, dtype=np.int64)[::2])
        assert len(column) == 9
        spans = column.read([(7, 9), (0, 2), (3, 3)])
        assert (spans.dtype, spans.tolist()) == (dtype, [9, 11, 0, 1])
        values = column.mapped()
    assert (values.dtype, values.tolist()) == (dtype, [0, 1, 2, 3, 4, 5, 7, 9, 11])
    assert not values.flags.writeable
    assert not list(folder.iterdir()), "a temporary file has a name"


def test_a_column_without_values_is_an_empty_array():
    with ColumnFile(np.int32) as column:
        column.append(np.empty(0, np.int32))
        assert column.read([]).tolist() == []
        assert column.mapped().tolist() == []


def test_room_is_asked_for_with_both_figures(monkeypatch, folder):
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 12_100_000_000}))
    require_space(12_000_000_000, "sorting")
    with pytest.raises(DataError, match=r"sorting takes 28\.0 GB of temporary files in .*, which has 12\.1 GB free"):
        require_space(28_000_000_000, "sorting")


def test_a_folder_that_takes_no_file_is_named(monkeypatch, folder):
    monkeypatch.setattr(scratch, "scratch_folder", lambda: folder / "missing")
    with pytest.raises(WriteError, match="missing cannot be written"):
        ColumnFile(np.int32)


@pytest.mark.parametrize("length", [400, 3_000])
def test_a_disk_that_gets_full_is_told_once_and_nothing_else_is(folder, length):
    """A few values wait in the buffer of the file, many do not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
    try:
        with pytest.raises(WriteError, match="cannot be written: File too large"), ColumnFile(np.int64) as column:
            column.append(np.arange(length))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(folder.iterdir())


def test_no_folder_for_temporary_files_is_told(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(WriteError, match="set TMPDIR to a folder with room"):
        ColumnFile(np.int32)
