"""docs/comparing-blends.md is true: its config runs, its words are those of the verdict."""

from __future__ import annotations

import re

import pytest

import hybridrec
from hybridrec import Run
from hybridrec.engine.latency import BLOCK_QUERIES, BLOCKS
from hybridrec.evaluation.guardrails import GROUPS
from hybridrec.evaluation.summary import conclusions
from tests.docs.markdown import ROOT, marked

FILE = ROOT / "docs" / "comparing-blends.md"
PAGE = FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "compare.yaml").write_text(marked(FILE, "run"), encoding="utf-8")
    return hybridrec.run(folder / "compare.yaml", store=folder / "store", runs=folder / "runs")


def test_the_verdict_is_said_as_on_the_page(run: Run):
    ((row, text),) = conclusions(run.report)
    shape = re.escape(" ".join(re.search(r"    (hybrid beats .*?losses)\n", PAGE, re.S)[1].split()))
    assert re.match(re.sub(r"\\?[+-]?[\d.]+", r"[-+\\d.]+", shape).replace("[-+\\d.]+20", "20"), text)
    assert row.verdict == "better"
    assert "; trained 2 times: 95 % interval for new users and seeds +" in text
    assert re.search(r" \.\.\. \+[\d.]+, \d+ % of its variance from seeds$", text)


def test_guardrails_of_the_page_are_all_judged(run: Run):
    assert [one.metric for one in run.report.guardrails] == ["coverage@20", "diversity@20", "latency"]
    for one in run.report.guardrails:
        assert one.bounds is not None
        assert f"guardrail {one.metric} {one.verdict} (" in conclusions(run.report)[0][1]
    assert f"leaves out each of {GROUPS} groups of users" in PAGE
    assert f"twelve blocks of {BLOCK_QUERIES} queries" in PAGE
    assert BLOCKS == 12
