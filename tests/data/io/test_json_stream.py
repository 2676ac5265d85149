"""Elements of long JSON arrays: whole from chunks of any size, told with their line where they are broken."""

import json
import tracemalloc

import pytest

from hybridrec.data.io import json_stream
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.json_stream import read_elements
from hybridrec.errors import DataError


@pytest.fixture(params=[3, 10, 1 << 20])
def chunk(request, monkeypatch):
    monkeypatch.setattr(json_stream, "CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("indent", [None, 2])
def test_elements_come_whole_from_chunks_of_any_size(tmp_path, indent):
    path = tmp_path / "lists.json"
    objects = [{"id": i, "title": 'a } "b" [ \\ 하나', "songs": [1, {"x": []}]} for i in range(9)]
    path.write_text(json.dumps(objects, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert [element for _, element in read_elements(path, BadLines(strict=True))] == objects
    slices = {"info": {"slice": [0]}, "playlists": objects, "more": [{"id": 1}]}
    path.write_text(json.dumps(slices, indent=indent), encoding="utf-8")
    assert [element for _, element in read_elements(path, BadLines(strict=True), "playlists")] == objects


@pytest.mark.usefixtures("chunk")
def test_broken_elements_are_passed_over(tmp_path):
    path = tmp_path / "lists.json"
    path.write_bytes(b'[\n{"id": 1},\n{"id": 2,},\n3,\n{"id": "\xff"},\n{"id": 5},\n{"id": "x},\n{"id": 6},\n{"id": 7}')
    bad_lines = BadLines(strict=False)
    elements = [(line, element["id"]) for line, element in read_elements(path, bad_lines)]
    assert elements == [(2, 1), (6, 5), (8, 6), (9, 7)]
    assert bad_lines.count == 5
    assert "line 3: not JSON" in bad_lines.notes()[0]
    assert "line 4: not a JSON object" in bad_lines.notes()[0]
    assert "line 5: not utf-8" in bad_lines.notes()[0]
    with pytest.raises(DataError, match=r"lists.json, line 3: not JSON"):
        list(read_elements(path, BadLines(strict=True)))


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
        list(read_elements(path, BadLines(strict=True), key))


def test_an_array_larger_than_memory_would_like_is_read_in_little(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "CHUNK", 1 << 16)
    path = tmp_path / "lists.json"
    path.write_text("[" + ",\n".join(json.dumps({"id": i, "songs": list(range(200))}) for i in range(4000)) + "]")
    tracemalloc.start()
    try:
        assert sum(len(element["songs"]) for _, element in read_elements(path, BadLines(strict=True))) == 800_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 4


def test_a_long_text_is_scanned_about_twice_whatever_its_length(tmp_path, monkeypatch):
    scanned = []
    spans = json_stream._spans

    def counted(text):
        scanned.append(len(text))
        return spans(text)

    monkeypatch.setattr(json_stream, "_spans", counted)
    monkeypatch.setattr(json_stream, "CHUNK", 1 << 10)
    path = tmp_path / "long.json"
    for letters in ("x" * 1_000_000, '\\"' * 500_000, "{[" * 500_000):
        path.write_text(f'[{{"a": "{letters}"}}, {{"b": 2}}]')
        scanned.clear()
        elements = list(json_stream.read_elements(path, BadLines(strict=True)))
        assert [list(element) for _, element in elements] == [["a"], ["b"]]
        assert sum(scanned) < 4 * path.stat().st_size


@pytest.mark.parametrize("chunk", [100, 1 << 20])
def test_an_element_without_an_end_is_not_read_into_memory(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    monkeypatch.setattr(json_stream, "LONGEST", 1000)
    path, bad_lines = tmp_path / "lists.json", BadLines(strict=False)
    path.write_text('[{"id": 1},\n{"id": 2},\n{"id": "' + "x" * 100_000, encoding="utf-8")
    assert [line for line, _ in read_elements(path, bad_lines)] == [1, 2]
    assert bad_lines.notes() == [f"{path}: 1 malformed line was skipped; line 3: an element of more than 1.0 kB"]
    path.write_text('{"x": "' + "x" * 100_000 + '", "lists": [{"id": 1}]}', encoding="utf-8")
    if chunk == 100:
        with pytest.raises(DataError, match='no array under "lists" in the first 1'):
            list(read_elements(path, BadLines(strict=True), "lists"))
