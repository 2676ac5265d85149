"""The page of measurements: each result has its place, and no place is empty."""

import json
import re

from benchmarks import page

MACHINE = {"cores": 2, "system": "Linux", "python": "3.11"}


def _result(name):
    way = {"wall": 2.0, "cpu": 2.0, "cpu_over_wall": 1.0}
    work = {"work": "toy", "unit": "fit", "units": 1, "ways": {"ours": way}, "ratios": []}
    return {"benchmark": name, "date": "2026-11-29", "machine": MACHINE, "works": [work]}


def test_results_are_written_between_their_marks_and_others_are_told(tmp_path, monkeypatch):
    text = "before\n<!-- toy -->\nold\n<!-- /toy -->\nafter\n"
    (tmp_path / "page.md").write_text(text)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    for name in ("toy", "elsewhere"):
        (tmp_path / f"{name}.json").write_text(json.dumps(_result(name)))
    assert page.write_page(tmp_path) == ["elsewhere"]
    written = (tmp_path / "page.md").read_text()
    assert "`python -m benchmarks toy`, 2 cores, Linux, Python 3.11, 2026-11-29.\n\n**toy**\n" in written
    assert "| ours | 2 s | 1.00 |  |\n<!-- /toy -->\nafter\n" in written
    assert "old" not in written


def test_every_place_of_the_page_has_a_table():
    blocks = re.findall(r"<!-- ([\w-]+) -->\n(.*?)<!-- /\1 -->", page.PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) > 10
    assert [name for name, content in blocks if "| " not in content] == []
