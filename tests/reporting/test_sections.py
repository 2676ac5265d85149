"""Sections that not every run has: guardrails, repeats, the map of items."""

from __future__ import annotations

import html
import re
import shutil

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec.reporting import page as pages
from hybridrec.runs.manifest import write_manifest
from hybridrec.runs.run import Run
from tests.reporting.conftest import tamed
from tests.reporting.test_page import Reader

METRICS = "  metrics: [ndcg@5, tags/ndcg@5]\n"


@pytest.fixture
def mapped(hostile_run, tmp_path) -> Run:
    """A copy of the hostile run with a map."""
    folder = shutil.copytree(hostile_run.folder, tmp_path / "run")
    (folder / "maps").mkdir()
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {"id": [str(n) for n in range(24)], "name": [tamed(n) for n in range(24)], "count": range(24, 0, -1),
         "x": rng.normal(size=24), "y": rng.normal(size=24), "cluster": np.arange(24) % 3}
    )  # fmt: skip
    frame.write_parquet(folder / "maps/pop.parquet")
    write_manifest(folder)
    return Run.open(folder)


def sections(text: str) -> set[str]:
    return {str(section["id"]) for section in Reader(text).all("section")}


def test_guardrails_and_repeats_have_sections(experiment):
    config = experiment((METRICS, METRICS + "  guardrails: {coverage@5: 0.05, diversity@5: 0.9}\n"))
    text = pages.render(hybridrec.run(config, ["repeats=2"]))
    assert {"guardrails", "repeats"} <= sections(text)
    parsed = Reader(text)
    words = " ".join(parsed.text)
    for what in (
        "held: ",
        "diversity@5 of hybrid against control: ",
        "Losses against the control",
        "Everything was trained 2 times",
        "noise",
        "training 2",
        "share of seeds",
        "the slates are those of the first",
    ):
        assert what in words
    links = {str(link["href"]).removeprefix("#") for link in parsed.all("a")}
    assert links == sections(text)


def test_a_plain_run_has_none_of_them(hostile_run):
    assert not {"guardrails", "repeats", "map"} & sections(pages.render(hostile_run))


def test_the_map_names_every_item_and_takes_no_name_for_markup(mapped):
    text = pages.render(mapped)
    parsed = Reader(text)
    assert "map" in sections(text)
    dots = [circle for circle in parsed.all("circle") if circle.get("class", "") in ("c1", "c2", "c3")]
    assert len(dots) == 24
    assert all(0 <= float(str(dot["cx"])) <= 640 >= float(str(dot["cy"])) >= 0 for dot in dots)
    titles = [html.unescape(name) for name in re.findall(r"<circle class=.*?<title>(.*?)</title>", text, re.S)]
    assert sorted(titles) == sorted(tamed(n) for n in range(24))
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")


def test_a_damaged_map_is_named(mapped):
    (mapped.folder / "maps/pop.parquet").write_bytes(b"no parquet")
    with pytest.raises(hybridrec.StoreError, match=r"maps/pop\.parquet: damaged \(10 bytes, "):
        pages.render(mapped)
