"""Faults that libraries find in files: errors of ours that name the file, whatever was raised."""

import gzip
import zlib

import polars as pl
import pytest

from hybridrec.data.io.faults import naming
from hybridrec.errors import DataError, StoreError
from tests.data.tables import PIECES, PLAYS, refused


@pytest.mark.parametrize(
    "error",
    [pl.exceptions.ComputeError("odd"), pl.exceptions.PanicException("odd"), zlib.error("odd"), EOFError("odd"),
     gzip.BadGzipFile("odd\nmore")],
)  # fmt: skip
def test_errors_of_libraries_name_the_file(error):
    with pytest.raises(DataError, match=r"^plays\.parquet cannot be read: odd$"), naming("plays.parquet"):
        raise error
    with pytest.raises(StoreError, match=r"names\.parquet"), naming("names.parquet", StoreError):
        raise error


def test_other_errors_are_left_as_they_are():
    with pytest.raises(KeyError), naming("plays.parquet"):
        raise KeyError


def test_a_damaged_parquet_file_is_named_whatever_column_is_read(read, tmp_path):
    plays = {**PLAYS, "path": "plays.parquet"}
    PIECES.write_parquet(tmp_path / "plays.parquet")
    content = (tmp_path / "plays.parquet").read_bytes()
    for place in range(4, 60, 3):
        (tmp_path / "plays.parquet").write_bytes(content[:place] + b"\xff\xff" + content[place + 2 :])
        with pytest.raises(DataError, match=r"plays\.parquet"):
            read({}, interactions=plays)


def test_a_damaged_gzip_file_is_named(read, tmp_path):
    content = gzip.compress(b"uid,song\n" + b"".join(b"u%d,s%d\n" % (row * row % 97, row) for row in range(500)))
    for damaged in (content[:-9], content[:40] + b"\xff" * 20 + content[60:], content[:-8] + bytes(8)):
        refused(read, {"plays.csv.gz": damaged}, "plays.csv.gz", interactions={**PLAYS, "path": "plays.csv.gz"})
