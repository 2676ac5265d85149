"""What readers are made of: blocks of lines, elements of JSON arrays, numbered texts, malformed lines."""

import json
import tracemalloc

import polars as pl
import pytest

from hybridrec.data.io import json_stream as elements
from hybridrec.data.io import text_files
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.errors import DataError

RATING = r"^(?<user>\d+)::(?<item>\d+)(?:::(?<more>.*))?$"


def parsed(path, bad_lines, **options):
    return pl.concat(text_files.parse_lines(path, RATING, "user::item", bad_lines, **options))


@pytest.fixture(params=[3, 10, 1 << 20])
def chunk(request, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", request.param)
    monkeypatch.setattr(elements, "CHUNK", request.param)


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
    assert bad_lines.notes()[0].endswith("line 2: item a occurs again; line 1: unknown item a; line 2: unknown item a")


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
@pytest.mark.parametrize("indent", [None, 2])
def test_elements_come_whole_from_chunks_of_any_size(tmp_path, indent):
    path = tmp_path / "lists.json"
    objects = [{"id": i, "title": 'a } "b" [ \\ 하나', "songs": [1, {"x": []}]} for i in range(9)]
    path.write_text(json.dumps(objects, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert [found for _, found in text_files.read_elements(path, BadLines(strict=True))] == objects
    slices = {"info": {"slice": [0]}, "playlists": objects, "more": [{"id": 1}]}
    path.write_text(json.dumps(slices, indent=indent), encoding="utf-8")
    assert [found for _, found in text_files.read_elements(path, BadLines(strict=True), "playlists")] == objects


@pytest.mark.usefixtures("chunk")
def test_broken_elements_are_passed_over(tmp_path):
    path = tmp_path / "lists.json"
    path.write_bytes(b'[\n{"id": 1},\n{"id": 2,},\n3,\n{"id": "\xff"},\n{"id": 5},\n{"id": "x},\n{"id": 6},\n{"id": 7}')
    bad_lines = BadLines(strict=False)
    found = [(line, element["id"]) for line, element in text_files.read_elements(path, bad_lines)]
    assert found == [(2, 1), (6, 5), (8, 6), (9, 7)]
    assert bad_lines.count == 5
    assert "line 3: not JSON" in bad_lines.notes()[0]
    assert "line 4: not a JSON object" in bad_lines.notes()[0]
    assert "line 5: not utf-8" in bad_lines.notes()[0]
    with pytest.raises(DataError, match=r"lists.json, line 3: not JSON"):
        list(text_files.read_elements(path, BadLines(strict=True)))


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('{"id": 1}', None, "line 1: no array"),
        ('{"lists": [{"id": 1}]}', "baskets", 'line 1: no array under "baskets"'),
        ('[{"id": 1},\n7]', None, "line 2: not a JSON object"),
        ('[{"id": 1},\n[7]]', None, "line 2: not a JSON object"),
        ('[{"id": 1},\n{"id": 2', None, "line 2: the array does not close"),
        ('[{"id": 1},\n{"id": ' + "9" * 5000 + "}]", None, r"line 2: not JSON \(a number has too many digits\)"),
        (
            '[{"id": 1},\n{"id": ' + "[" * 100_000 + "]" * 100_000 + "}]",
            None,
            r"line 2: not JSON \(nested too deeply\)",
        ),
    ],
)
def test_what_is_no_array_of_objects_is_malformed(tmp_path, text, key, message):
    path = tmp_path / "lists.json"
    path.write_text(text)
    with pytest.raises(DataError, match=f"lists.json, {message};"):
        list(text_files.read_elements(path, BadLines(strict=True), key))


def test_an_array_larger_than_memory_would_like_is_read_in_little(tmp_path, monkeypatch):
    monkeypatch.setattr(elements, "CHUNK", 1 << 16)
    path = tmp_path / "lists.json"
    path.write_text("[" + ",\n".join(json.dumps({"id": i, "songs": list(range(200))}) for i in range(4000)) + "]")
    tracemalloc.start()
    try:
        assert sum(len(found["songs"]) for _, found in text_files.read_elements(path, BadLines(strict=True))) == 800_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 4
