"""Maps of items: alike items lie together, and what cannot be drawn is refused in words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.testing import CommandContract
from hybridrec_vectors.drawing import map_items
from hybridrec_vectors.item_map import arranged, draw_map

pytest.importorskip("sklearn", reason="needs hybridrec[map]")
VECTORS = (
    ("  noise: {use: echo}\n", "  noise: {use: echo}\n  als: {factors: 4}\n"),
    ("[pop]", "[pop, als]"),
    ("workers: 2", "refit: all"),
)


class TestMap(CommandContract):
    command = map_items


def test_planted_clusters_are_found_and_lie_apart():
    rng = np.random.default_rng(1)
    sizes = [40, 30, 20]
    centres = np.repeat(np.eye(3, 8), sizes, axis=0)
    vectors = centres + rng.normal(0, 0.05, centres.shape)
    plane, clusters = arranged((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    assert plane.shape == (90, 2)
    truth = np.repeat(np.arange(3), sizes)
    # Eight clusters were asked for: each lies within one of the three planted ones.
    assert all(len(np.unique(truth[clusters == cluster])) == 1 for cluster in np.unique(clusters))
    counts = np.bincount(clusters)
    assert (np.diff(counts) <= 0).all()
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (truth[distances.argmin(axis=1)] == truth).mean() > 0.95


def test_a_map_holds_the_items_that_stand_in_most_queries_first(experiment):
    pytest.importorskip("implicit")
    run = hybridrec.run(experiment(*VECTORS))
    path = draw_map(run, "als")
    assert path == run.folder / "maps/als.parquet"
    frame = pl.read_parquet(path)
    assert frame.columns == ["id", "name", "count", "x", "y", "cluster"]
    assert set(frame["id"]) <= set(run.names()["id"])
    assert (np.diff(frame["count"].to_numpy().astype(int)) <= 0).all()
    queries = run.queries()
    seen = [*queries["items"].explode(), *queries["relevant_items"].explode()]
    assert frame["count"][0] == seen.count(frame["id"][0])
    draw_map(run, "als")
    assert pl.read_parquet(path).equals(frame)


def test_what_cannot_be_drawn_is_refused(experiment):
    pytest.importorskip("implicit")
    run = hybridrec.run(experiment(*VECTORS))
    with pytest.raises(ConfigError, match=r"'ease' \(ease\) has no vectors of items; als may"):
        draw_map(run, "ease")
    with pytest.raises(ConfigError, match=r"no component of .* is labelled 'asl': did you mean 'als'"):
        draw_map(run, "asl")
    with pytest.raises(DataError, match="was only evaluated"):
        draw_map(hybridrec.run(experiment(*VECTORS[:2])), "als")


def test_a_refreshed_run_draws_the_items_it_still_has(experiment):
    pytest.importorskip("implicit")
    run = hybridrec.run(experiment(*VECTORS))
    hybridrec.refresh(run, ("data.items=30",))
    drawn = pl.read_parquet(draw_map(run, "als"))
    assert set(drawn["id"]) <= set(hybridrec.load(run).data.items.vocabulary.ids)


def test_the_page_shows_what_the_command_drew(call, experiment):
    pytest.importorskip("implicit")
    folder = hybridrec.run(experiment(*VECTORS)).folder
    assert call("map", folder, "als") == (0, f"{folder / 'maps/als.parquet'}\n", "")
    assert call("report", folder, "--no-open")[0] == 0
    assert 'id="map"' in (folder / "report.html").read_text(encoding="utf-8")
