"""The page on cold start is true: its gates and rungs are those of the engine."""

from __future__ import annotations

from hybridrec.config.models import GATES, PipelineUse
from hybridrec.stages.pipeline import BLEND, KNOWN, NOBODY
from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "cold-start.md").read_text(encoding="utf-8")


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
