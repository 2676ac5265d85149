"""Building blocks of readers: blocks of lines, numbered texts, malformed lines."""

import polars as pl
import pytest

from hybridrec.data.io import text_files
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.errors import DataError

RATING = r"^(?<user>\d+)::(?<item>\d+)(?:::(?<more>.*))?$"


def parsed(path, bad_lines, **options):
    return pl.concat(text_files.parse_lines(path, RATING, "user::item", bad_lines, **options))


@pytest.fixture(params=[3, 10, 1 << 20])
def chunk(request, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", request.param)


@pytest.mark.usefixtures("chunk")
def test_lines_are_parsed_the_same_in_blocks_of_any_size(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_bytes(b"\xef\xbb\xbf1::2::x\r\n\r\n3::4\nx::5\n\n6::7::\xff\n8::9")
    bad_lines = BadLines(strict=False)
    rows = parsed(path, bad_lines)
    assert rows.rows() == [(1, "1", "2", "x"), (3, "3", "4", None), (7, "8", "9", None)]
    assert bad_lines.count == 2
    (note,) = bad_lines.notes()
    assert note.startswith(f"{path}: 2 malformed lines were skipped")
    assert "line 4: not user::item" in note
    assert "line 6: not utf-8" in note
    assert parsed(path, BadLines(strict=False), encoding="latin-1").rows()[1] == (6, "6", "7", "\xff")


def test_a_strict_reader_stops_at_the_first_malformed_line(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_text("1::2\n3\n")
    with pytest.raises(DataError, match=r"ratings.dat, line 2: not user::item; `strict: false` skips"):
        parsed(path, BadLines(strict=True))
    path.write_text("user::item\n")
    assert len(parsed(path, BadLines(strict=True), header=True)) == 0
    with pytest.raises(DataError, match="no line is user::item"):
        text_files.parse_whole(path, RATING, "user::item", BadLines(strict=True), header=True)


def test_second_lines_and_unknown_ids_are_malformed(tmp_path):
    rows = pl.DataFrame({"line": [1, 2, 3], "item": ["a", "a", "b"]})
    bad_lines = BadLines(strict=False)
    assert text_files.first_of_each(rows, "item", tmp_path, bad_lines, "item")["line"].to_list() == [1, 3]
    assert text_files.only_known(rows, "item", ["b"], tmp_path, bad_lines, "item")["line"].to_list() == [3]
    assert bad_lines.count == 3
    assert bad_lines.notes()[0].endswith("line 2: item a occurs again; lines 1 and 2: unknown item a")


def test_quotes_of_csv_are_taken_off():
    frame = pl.DataFrame({"text": ["plain", '"a, b"', '"say ""hi"""', 'the "q"', '""']})
    assert frame.select(text_files.unquoted("text"))["text"].to_list() == ["plain", "a, b", 'say "hi"', 'the "q"', ""]


def test_numbered_texts_come_back():
    numbering = text_files.Numbering()
    codes = [numbering.codes(pl.Series(block)) for block in (["b", "a", "b"], ["c", "a"])]
    texts = numbering.texts(pl.concat(codes))
    assert texts.cast(pl.String).to_list() == ["b", "a", "b", "c", "a"]
    assert (len(numbering), texts.dtype) == (3, pl.Enum(["b", "a", "c"]))


@pytest.mark.usefixtures("chunk")
def test_lines_with_a_nul_or_a_byte_order_mark_inside_are_malformed(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_bytes(b"\xef\xbb\xbf1::2::x\n3::4::\0\n5::6::\xef\xbb\xbf\n7::8\n")
    bad_lines = BadLines(strict=False)
    assert parsed(path, bad_lines)["line"].to_list() == [1, 4]
    assert bad_lines.notes()[0].endswith("lines 2 and 3: a NUL character or byte order mark in it")
