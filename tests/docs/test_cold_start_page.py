"""The page on cold start is true: its config is valid, its gates and rungs are those of the engine."""

from __future__ import annotations

import re
from pathlib import Path

from hybridrec.experiment.checking import check
from hybridrec.experiment.documents import parse
from hybridrec.experiment.schema import GATES, PipelineUse
from hybridrec.registry.discovery import Registry
from hybridrec.stages.pipeline import BLEND, KNOWN, NOBODY

PAGE = (Path(__file__).parents[2] / "docs" / "cold-start.md").read_text(encoding="utf-8")


def test_the_config_on_the_page_is_valid(tmp_path: Path):
    (code,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    head = "name: page\ndata: {reader: setlists}\nsplit: {use: masked}\n"
    labels = "components:\n  lightfm: {}\n  ease: {}\n  content: {}\n"
    experiment = check(parse(head + code.replace("components:\n", labels), "cold-start.md"), Registry(), tmp_path)
    assert experiment.config.pipelines["hybrid"].fallback[-1] == "popularity"


def test_every_gate_and_every_rung_is_told():
    assert [gate for gate in GATES if f"`{gate}`" not in PAGE] == []
    assert [known for known in KNOWN if f"`{BLEND}:{known}`" not in PAGE] == []
    assert f"`{NOBODY}`" in PAGE


def test_the_default_ladder_is_told():
    ladder = ", ".join(PipelineUse.model_fields["fallback"].get_default(call_default_factory=True))
    assert f"The default ladder is `[{ladder}]`" in PAGE


def test_the_ladder_is_measured_rung_by_rung():
    table = PAGE.partition("<!-- ladder rungs -->")[2].partition("<!-- /ladder rungs -->")[0]
    for rung in ("blend:items", "blend:few-items", "by-tags", "by-title", "popularity", NOBODY):
        assert f"| `{rung}` |" in table
