"""The map of items: every item has its place on the page, and no name becomes markup."""

from __future__ import annotations

import html
import re
import shutil

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec.reporting import page as pages
from hybridrec.reporting.map_section import SIZE, Cluster, maps
from hybridrec.runs.manifest import write_manifest
from hybridrec.runs.run import Run
from tests.reporting.conftest import tamed
from tests.reporting.test_page import Reader


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


def test_the_best_known_of_each_cluster_name_it(mapped):
    (item_map,) = maps(mapped)
    assert (item_map.label, len(item_map.points)) == ("pop", 24)
    assert [(cluster.number, cluster.items) for cluster in item_map.clusters] == [(1, 8), (2, 8), (3, 8)]
    assert item_map.clusters[1].names == [tamed(n) for n in (1, 4, 7, 10, 13, 16)]
    assert item_map.description.startswith(
        f"24 items of pop; nearby points are similar. cluster 1: {tamed(0)}, {tamed(3)}"
    )
    radii = [point.radius for point in item_map.points]
    assert radii == sorted(radii)  # the best known are drawn last
    assert radii[-1] == 8
    assert maps(hybridrec.Run.open(mapped.folder)) == [item_map]


def test_a_long_name_is_cut_and_stands_where_there_is_room():
    left = Cluster(1, 3, ["a" * 28], x=SIZE / 2 - 1, y=0)
    right = Cluster(1, 3, ["a" * 29], x=SIZE / 2, y=0)
    assert (left.label, left.anchor) == ("a" * 28, "start")
    assert (right.label, right.anchor) == ("a" * 27 + "…", "end")


def test_items_in_one_place_are_drawn_there(mapped):
    frame = pl.read_parquet(mapped.folder / "maps/pop.parquet").with_columns(x=pl.lit(2.5), y=pl.lit(-1.0))
    frame.write_parquet(mapped.folder / "maps/pop.parquet")
    write_manifest(mapped.folder)
    (item_map,) = maps(Run.open(mapped.folder))
    assert {(point.x, point.y) for point in item_map.points} == {(16.0, 16.0)}


def test_a_run_without_maps_has_none(hostile_run):
    assert maps(hostile_run) == []
