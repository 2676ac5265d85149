"""The tables of the pages come from runs: what the command writes, and that every mark has its end."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import hybridrec

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("readme", ROOT / "benchmarks" / "readme.py")
assert SPEC is not None
assert SPEC.loader is not None
readme = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme)

CURVE = ("workers: 2", "tradeoffs:\n  - {pipeline: hybrid, vary: rerank.0.weights.pop, over: [0, 1]}\nworkers: 2")


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)
def test_every_mark_has_its_end(page: Path):
    text = page.read_text(encoding="utf-8")
    for mark in re.findall(r"<!-- ([\w -]+) -->", text):
        assert text.count(f"<!-- {mark} -->\n") == text.count(f"\n<!-- /{mark} -->") == 1


def test_tables_go_between_their_marks(experiment, tmp_path: Path):
    report = hybridrec.run(experiment(CURVE)).report
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- toy rungs -->\nold\n<!-- /toy rungs -->\nb\n<!-- toy tradeoffs --><!-- /toy tradeoffs -->\n"
    )
    blocks = {"toy": "no", "toy rungs": readme.rungs(report), "toy tradeoffs": readme.tradeoffs(report)}
    assert readme.write(page, blocks) == 2
    text = page.read_text()
    assert "old" not in text
    assert "|  | `blend:items` |" in text
    assert "| `rerank.0.weights.pop` of hybrid | ndcg@5 | tags/ndcg@5 |" in text
    assert re.search(r"^\| 1 \| 0\.\d+ ± 0\.\d+ \|", text, re.M)
    assert readme.write(page, blocks) == 2
    assert page.read_text() == text
