"""The page on cold start is true: its gates and servers are those of the engine."""

from __future__ import annotations

import yaml

from hybridrec.config.models import GATES, PipelineUse
from hybridrec.config.starter import starting_config
from hybridrec.stages.pipeline import BLEND, NOBODY, served_fields
from hybridrec.testing import toy_dataset, toy_queries
from tests.accept import Own
from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "cold-start.md").read_text(encoding="utf-8")


def test_every_gate_and_every_rung_is_told():
    assert [gate for gate in GATES if f"`{gate}`" not in PAGE] == []
    fields = served_fields(toy_queries(toy_dataset()))
    assert [field for field in fields if f"`{BLEND}:{field}`" not in PAGE] == []
    assert f"`{NOBODY}`" in PAGE


def test_that_there_is_no_default_fallback_is_told():
    assert PipelineUse.model_fields["fallback"].get_default() == []
    assert "A pipeline that leaves `fallback` out has none" in PAGE


def test_the_fallback_chain_that_init_writes_is_told(tmp_path):
    (tmp_path / "plays.csv").write_text("user,item\na,b\na,c\nd,b\n")
    _, text = starting_config([tmp_path / "plays.csv"], tmp_path, Own())
    fallbacks = ", ".join(yaml.safe_load(text)["pipelines"]["control"]["fallback"])
    assert f"`[{fallbacks}]`, which `hybridrec init` writes, serves every query" in PAGE


def test_every_fallback_is_measured():
    table = PAGE.partition("<!-- fallbacks served-by -->")[2].partition("<!-- /fallbacks served-by -->")[0]
    for served_by in ("blend:items", "blend:few-items", "by-tags", "by-title", "popularity", NOBODY):
        assert f"| `{served_by}` |" in table
