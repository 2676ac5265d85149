"""The comparisons with libraries that hybridrec does without, on small files."""

import json

import pytest
from click.testing import CliRunner

from benchmarks import libraries


def printed(*arguments):
    result = CliRunner().invoke(libraries.libraries, arguments, catch_exceptions=False)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in result.output.splitlines()]


def test_yaml_is_read_and_written_back():
    pytest.importorskip("ruamel.yaml")
    head, _, *rows, sentence = printed("yaml", "--blocks", "2", "--repeats", "1")
    assert head == ["lines", "way", "CPU seconds"]
    assert len(rows) == 6
    assert "files back otherwise" in sentence[0]
    assert libraries._changed_lines("a: 1  # kept\nb: [x, y]\n") == 0
    assert libraries._changed_lines("a: [{use: x}]\n") == 2


@pytest.mark.parametrize("shape", libraries.SHAPES)
def test_both_ways_read_all_elements(tmp_path, shape):
    pytest.importorskip("ijson")
    key, path = libraries.SHAPES[shape], tmp_path / "long.json"
    libraries._write_playlists(path, key, 80_000)
    content = json.loads(path.read_text(encoding="utf-8"))
    count = len(content if key is None else content[key])
    assert libraries.read_by_lines(path, key) == libraries.read_by_ijson(path, key) == count > 9


def test_arrays_are_loaded_by_both_ways():
    pytest.importorskip("safetensors")
    rows = {row[0]: row[1:] for row in printed("arrays", "--megabytes", "8")}
    assert rows["own"][-2:] == ["yes", "yes"]
    assert rows["safetensors"][-1] == "no"
