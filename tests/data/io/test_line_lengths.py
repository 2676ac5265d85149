"""A line that does not end is refused before it fills the memory, in every reader of text."""

import gzip
import subprocess
import sys
import zlib

import pytest

from hybridrec import DataError
from hybridrec.data.io import line_lengths
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.files import FileSource, load
from hybridrec.data.io.inspected_file import inspect_file
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.data.io.text_files import read_lines
from hybridrec.serving.query_source import QueryFile
from hybridrec.serving.user_ratings import read_ratings
from hybridrec.testing import toy_dataset
from hybridrec_slates.files import read_slates

HEAD = "user,item\nu1,i1\nu2,i2\n"


@pytest.fixture
def short(monkeypatch):
    """Lower the bound to 1,000 bytes."""
    monkeypatch.setattr(line_lengths, "LONGEST", 1000)


def written(path, text):
    if path.suffix == ".gz" or path.stem == "packed":
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", ["plays.csv", "plays.csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_long_line_is_named_and_files_of_short_lines_pass(tmp_path, short, name, end):
    rows = end.join(["user,item", *(f"u{number},i" for number in range(900))])
    check_lines(written(tmp_path / name, rows))
    path = written(tmp_path / name, f"{rows}{end}u,{'i' * 2100}{end}{rows}")
    with pytest.raises(DataError) as info:
        check_lines(path)
    assert str(info.value) == (f"{path}, line 902: more than 1.0 kB without a line end; right is a line for each row")


@pytest.mark.parametrize("length", [1, 2, 999, 1000])
def test_lines_up_to_the_bound_pass_wherever_they_begin(tmp_path, short, length):
    for before in range(0, 1500, 250):
        check_lines(written(tmp_path / "plays.csv", "x\n" * before + "x" * (length - 1) + "\n"))


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plays.csv.gz", HEAD + "u" * 3000),
        ("plays.csv", HEAD + "u" * 3000),
        ("packed.csv", HEAD + "u" * 3000),
        ("plays.tsv", "u" * 3000),
        ("plays.jsonl.gz", '{"user": "u1"}\n' * 2 + '{"user": "' + "u" * 3000 + '"}\n'),
    ],
)
def test_tables_are_refused_whether_malformed_lines_are_skipped_or_not(tmp_path, short, name, text, strict):
    path = written(tmp_path / name, text)
    source = FileSource.model_validate({"path": name}, context={"folder": tmp_path})
    with pytest.raises(DataError, match=f"{name}, line [14]: more than|{name}, line 3: more than"):
        load(source, BadLines(strict=strict))
    with pytest.raises(DataError, match="without a line end"):
        inspect_file(path, tmp_path)


def test_other_readers_of_text_refuse_it(tmp_path, short):
    data = toy_dataset()
    long = "x" * 3000
    for name, text, read in [
        ("lines.dat", f"a\n{long}", lambda path: list(read_lines(path, BadLines(strict=False)))),
        ("queries.jsonl", f'{{"id": "{long}"}}', lambda path: QueryFile(path, data).count()),
        ("queries.csv", f"id\n{long}", lambda path: QueryFile(path, data).count()),
        ("slates.run", f"q 0 i 1 {long}", read_slates),
        ("mine.csv", f"item,rating\n{long},1", lambda path: read_ratings(path, data)),
    ]:
        path = written(tmp_path / name, text)
        with pytest.raises(DataError, match="without a line end"):
            read(path)
        path.write_bytes(gzip.compress(HEAD.encode())[:-10])
        with pytest.raises(DataError, match=f"{name} cannot be read: Compressed file ended"):
            read(path)


def test_a_file_of_zlib_which_may_unpack_to_one_line_is_refused(tmp_path):
    path = tmp_path / "plays.csv"
    for level in (1, 6, 9):
        path.write_bytes(zlib.compress(HEAD.encode(), level))
        with pytest.raises(DataError, match=r"plays\.csv: is compressed by zlib; right is gzip"):
            check_lines(path)


def zstd_frame(*blocks, size=None, checksum=b""):
    """Return a frame of Zstandard of blocks (kind, length, content); `size` is the size in its header, one byte."""
    descriptor = (4 if checksum else 0) | (0 if size is None else 32)
    head = b"\x28\xb5\x2f\xfd" + bytes([descriptor, 0x58 if size is None else size])
    for place, (kind, length, content) in enumerate(blocks, 1):
        head += (length << 3 | kind << 1 | (place == len(blocks))).to_bytes(3, "little") + content
    return head + checksum


def test_a_bomb_of_zstandard_is_refused_by_the_headers_of_its_blocks(tmp_path, short):
    text = b"user,item\nu1,i1\n"
    sound = zstd_frame((0, len(text), text), size=len(text)) + b"\x53\x2a\x4d\x18\x02\0\0\0xx"
    path = tmp_path / "plays.csv.zst"
    path.write_bytes(sound)
    check_lines(path)
    assert load(FileSource(path=path), BadLines(strict=True))[0].collect().shape == (1, 2)
    path.write_bytes(sound + zstd_frame(*[(1, 1 << 17, b"x")] * 8, checksum=b"abcd") + sound)
    with pytest.raises(DataError, match=r"112 bytes that unpack to 1.0 MB, more than 1,000 times as much"):
        check_lines(path)


def test_a_long_line_takes_little_memory(tmp_path):
    with gzip.open(tmp_path / "plays.csv.gz", "wb", 1) as file:
        for _ in range(40):
            file.write(b"x" * 1_000_000)
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from hybridrec.data.io.line_lengths import check_lines; from hybridrec import DataError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    check_lines(Path(sys.argv[1]))\n"
        "except DataError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "plays.csv.gz")]
    grown = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert grown < 8_000  # kB; the line has 40,000
