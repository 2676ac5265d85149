"""The page on re-rankers is true: its chains run, and it tells of every re-ranker there is."""

from __future__ import annotations

import pytest
import yaml

import hybridrec
import hybridrec_rerank
from tests.docs.markdown import ROOT, blocks, marked

FILE = ROOT / "docs" / "re-ranking.md"
PAGE = FILE.read_text(encoding="utf-8")
CHAINS = [yaml.safe_load(block.code) for block in blocks(FILE) if block.mark == "chain"]
NAMES = [cls.name for cls in hybridrec_rerank.hybridrec_components()]


def config() -> str:
    """The experiment of the page with all its chains side by side, and its curve."""
    content = yaml.safe_load(marked(FILE, "base"))
    hybrid = content["pipelines"].pop("hybrid")
    for chain in CHAINS:
        content["pipelines"]["-".join(link["use"] for link in chain[1:])] = hybrid | {"rerank": chain}
    content["pipelines"]["hybrid"] = hybrid | {"rerank": CHAINS[0]}
    return yaml.safe_dump(content | yaml.safe_load(marked(FILE, "tradeoffs")), sort_keys=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hybridrec.Run:
    folder = tmp_path_factory.mktemp("re-ranking")
    (folder / "order.yaml").write_text(config(), encoding="utf-8")
    return hybridrec.run(folder / "order.yaml", store=folder / "store", runs=folder / "runs")


def test_every_chain_runs_fills_its_slates_and_changes_some(run: hybridrec.Run):
    plain = run.slates("plain")
    assert len(run.report.pipelines) == len(CHAINS) + 2
    for name in run.report.pipelines:
        slates = run.slates(name)
        assert len(slates) == len(plain)
        assert name == "plain" or slates["id"].to_list() != plain["id"].to_list()


def test_the_curve_is_measured(run: hybridrec.Run):
    assert [point.value for point in run.report.tradeoffs[0].points] == [0.3, 0.5, 0.7, 0.9, 1]


@pytest.mark.parametrize("name", NAMES)
def test_every_reranker_has_its_section_and_its_chain(name: str):
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert f"{{use: {name}, " in section
    assert f"| [`{name}`](#{name}) |" in PAGE


def test_every_yaml_block_is_run():
    assert {block.mark for block in blocks(FILE) if block.language == "yaml"} == {"base", "chain", "tradeoffs"}
