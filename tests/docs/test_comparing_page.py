"""docs/comparing-blends.md is true: its config runs, its words are those of the verdict."""

from __future__ import annotations

import re

import pytest

import hybridrec
from hybridrec import Run
from hybridrec.engine.latency import BLOCK_QUERIES, BLOCKS
from hybridrec.evaluation.guardrails import GROUPS
from hybridrec.evaluation.summary import deciding, opening, verdict_table
from tests.docs.markdown import ROOT, marked

FILE = ROOT / "docs" / "comparing-blends.md"
PAGE = FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "compare.yaml").write_text(marked(FILE, "run"), encoding="utf-8")
    return hybridrec.run(folder / "compare.yaml", store=folder / "store", runs=folder / "runs")


def test_the_verdict_is_said_as_on_the_page(run: Run):
    (row,) = deciding(run.report)
    number = re.compile(r"[+-]\d+\.\d+")
    shown = " ".join(re.search(r"    (In ndcg@10, hybrid beats .*?\.)\n\n", PAGE, re.S)[1].split())
    assert number.sub("N", opening(run.report)) == number.sub("N", shown)
    assert row.verdict == "better"
    headers, (cells,) = verdict_table(run.report)
    assert all(f"| {header} |" in PAGE for header in headers)
    assert re.fullmatch(r"\+[\d.]+ \.\.\. \+[\d.]+, \d+ % from seeds", cells[headers.index("new users and seeds")])


def test_guardrails_of_the_page_are_all_judged(run: Run):
    assert [guardrail.metric for guardrail in run.report.guardrails] == ["coverage@20", "diversity@20", "latency"]
    for guardrail in run.report.guardrails:
        assert guardrail.bounds is not None
    assert f"leaves out each of {GROUPS} groups of users" in PAGE
    assert f"twelve blocks of {BLOCK_QUERIES} queries" in PAGE
    assert BLOCKS == 12
