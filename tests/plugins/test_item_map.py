"""Maps of items: alike items lie together, and what cannot be drawn is refused in words."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError, DataError, Run
from hybridrec.testing import CommandContract
from hybridrec_vectors import item_map
from hybridrec_vectors.drawing import map_items
from hybridrec_vectors.item_map import Colouring, arranged, draw_map, kmeans, tagged
from tests.conftest import CONFIG, TOYLAND

pytest.importorskip("sklearn", reason="needs hybridrec[map]")
VECTORS = (
    ("  noise: {use: echo}\n", "  noise: {use: echo}\n  als: {factors: 4}\n"),
    ("[pop]", "[pop, als]"),
    ("workers: 2", "refit: all"),
)


class TestMap(CommandContract):
    command = map_items


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that recommends by vectors, made once."""
    pytest.importorskip("implicit")
    place, config = tmp_path_factory.mktemp("finished"), CONFIG
    for old, new in VECTORS:
        config = config.replace(old, new)
    (place / "toy.yaml").write_text(config, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYLAND))
        return hybridrec.run(place / "toy.yaml", runs=place / "runs", store=place / "store").folder


@pytest.fixture
def run(finished, experiment, tmp_path):
    """A copy of it, for maps."""
    return Run.open(shutil.copytree(finished, tmp_path / "runs" / finished.name))


@pytest.fixture
def clusters(toyland, monkeypatch):
    """Gives the component `noise` clusters of items: three, and two items in none."""
    echo = importlib.import_module("toyland").Echo
    numbers = np.array([-1, -1, *([7] * 20), *([0] * 12), *([2] * 6)], np.int32)
    monkeypatch.setattr(echo, "clusters", lambda self, target: numbers if target == "items" else None)
    return numbers


def codes(run, frame):
    return hybridrec.load(run).data.items.vocabulary.encode(frame["id"])


def test_planted_clusters_are_found_and_lie_apart():
    rng = np.random.default_rng(1)
    sizes = [40, 30, 20]
    centres = np.repeat(np.eye(3, 8), sizes, axis=0)
    vectors = centres + rng.normal(0, 0.05, centres.shape)
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    plane, groups = arranged(units), kmeans(units)
    assert plane.shape == (90, 2)
    truth = np.repeat(np.arange(3), sizes)
    # Eight clusters were asked for: each lies within one of the three planted ones.
    assert all(len(np.unique(truth[groups.numbers == number])) == 1 for number in np.unique(groups.numbers))
    counts = np.bincount(groups.numbers)
    assert (np.diff(counts) <= 0).all()
    assert list(groups.names) == [f"cluster {number}" for number in range(1, len(counts) + 1)]
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (truth[distances.argmin(axis=1)] == truth).mean() > 0.95


def test_a_map_holds_the_items_that_stand_in_most_queries_first(run):
    path = draw_map(run, "als")
    assert path == run.folder / "maps/als.parquet"
    frame, legend = run.item_map("als")
    assert frame.columns == ["id", "name", "count", "x", "y", "group"]
    assert set(frame["id"]) <= set(run.names()["id"])
    assert (np.diff(frame["count"].to_numpy().astype(int)) <= 0).all()
    queries = run.queries()
    seen = [*queries["items"].explode(), *queries["relevant_items"].explode()]
    assert frame["count"][0] == seen.count(frame["id"][0])
    assert (legend.of, legend.colours) == (39, "7 clusters of the vectors by k-means")
    draw_map(run, "als")
    assert run.item_map("als")[0].equals(frame)


def test_of_many_items_those_of_most_queries_are_drawn(run, monkeypatch):
    draw_map(run, "als")
    everything, _ = run.item_map("als")
    monkeypatch.setattr(item_map, "MOST_ITEMS", 12)
    draw_map(run, "als")
    frame, legend = run.item_map("als")
    assert frame["id"].to_list() == everything["id"].to_list()[:12]
    assert legend.of == 39


def test_the_clusters_of_a_component_are_the_groups(run, clusters):
    draw_map(run, "als", Colouring(clusters="noise"))
    frame, legend = run.item_map("als")
    assert legend.colours == "clusters of noise"
    assert legend.groups == ["cluster 7", "cluster 0", "cluster 2"]  # the largest first
    groups = {7: 0, 0: 1, 2: 2, -1: -1}
    assert frame["group"].to_list() == [groups[number] for number in clusters[codes(run, frame)].tolist()]


def test_a_few_clusters_are_drawn_at_random_the_same_each_time(run, clusters):
    draw_map(run, "als", Colouring(clusters="noise", drawn=2))
    frame, legend = run.item_map("als")
    assert legend.colours == "2 of 3 clusters of noise, drawn at random"
    numbers = np.array([int(name.removeprefix("cluster ")) for name in legend.groups])
    own = clusters[codes(run, frame)]
    assert np.array_equal(frame["group"].to_numpy() == -1, ~np.isin(own, numbers))
    assert all(number == -1 or numbers[number] == mine for number, mine in zip(frame["group"], own, strict=True))
    draw_map(run, "als", Colouring(clusters="noise", drawn=2))
    assert run.item_map("als")[0].equals(frame)
    draw_map(run, "als", Colouring(clusters="noise", drawn=9))
    assert run.item_map("als")[1].groups == ["cluster 7", "cluster 0", "cluster 2"]


def test_items_of_a_tag_share_a_colour_the_first_tag_counts(run):
    draw_map(run, "als", Colouring(tags=["tag 03", "tag 01"]))
    frame, legend = run.item_map("als")
    assert (legend.colours, legend.groups) == ("tags", ["tag 03", "tag 01"])
    data = hybridrec.load(run).data
    has = data.item_matrix("tags")[:, data.vocabulary("tags").encode(legend.groups)].toarray()[codes(run, frame)] > 0
    assert frame["group"].to_list() == np.where(has[:, 0], 0, np.where(has[:, 1], 1, -1)).tolist()
    assert {-1, 0, 1} == set(frame["group"])


def test_other_colours_leave_the_points_where_they_are(run, clusters, monkeypatch):
    draw_map(run, "als")
    first, _ = run.item_map("als")
    monkeypatch.setattr(item_map, "arranged", lambda units: pytest.fail("placed again"))
    draw_map(run, "als", Colouring(clusters="noise"))
    second, _ = run.item_map("als")
    assert second.drop("group").equals(first.drop("group"))


def test_other_vectors_are_placed_anew(run, monkeypatch):
    draw_map(run, "als")
    frame, legend = run.item_map("als")
    run.add_map("als", frame.with_columns(x=pl.lit(0.0)), legend.model_copy(update={"space": "another"}))
    draw_map(run, "als")
    assert run.item_map("als")[0].equals(frame)


def test_vectors_of_named_items_stand_below_the_map(run):
    draw_map(run, "als", items=["item 07", "item 12"])
    _, legend = run.item_map("als")
    names = hybridrec.load(run).data.items.names()
    assert [figure.names[0] for figure in legend.figures] == [names[7], names[12]]
    assert all(len(figure.names) == 6 for figure in legend.figures)


def test_what_cannot_be_drawn_is_refused(run, experiment):
    with pytest.raises(ConfigError, match=r"'ease' \(ease\) has no vectors of items; components with vectors: als"):
        draw_map(run, "ease")
    with pytest.raises(ConfigError, match=r"no component is labelled 'asl': did you mean 'als'"):
        draw_map(run, "asl")
    with pytest.raises(ConfigError, match="'ease' has no clusters of items; leave --clusters out for k-means"):
        draw_map(run, "als", Colouring(clusters="ease"))
    with pytest.raises(DataError, match="unknown kind 'moods'"):
        draw_map(run, "als", Colouring(tags=["calm"], by="moods"))
    with pytest.raises(DataError, match="none of 40 items has the id"):
        draw_map(run, "als", items=["🎵🎵"])
    with pytest.raises(DataError, match="was only evaluated"):
        draw_map(hybridrec.run(experiment(*VECTORS[:2])), "als")


def test_items_without_tags_are_refused_with_the_kinds_they_have(run):
    recommender = hybridrec.load(run)
    recommender.data = replace(recommender.data, item_has={})
    with pytest.raises(ConfigError, match="no item has tags; items of this run have nothing"):
        tagged(recommender, "tags", ["tag 01"], np.arange(40))


def test_an_item_without_a_vector_is_named(run, monkeypatch):
    vectors = item_map.item_vectors(hybridrec.load(run), "als").copy()
    vectors[7] = np.nan
    monkeypatch.setattr(item_map, "item_vectors", lambda recommender, label: vectors)
    with pytest.raises(DataError, match="'als' has no vector of 'item 07'"):
        draw_map(run, "als", items=["item 07"])
    draw_map(run, "als")
    assert len(run.item_map("als")[0]) == run.item_map("als")[1].of == 38


def test_a_refreshed_run_draws_the_items_it_still_has(run):
    hybridrec.refresh(run, ("data.items=30",))
    drawn = pl.read_parquet(draw_map(run, "als"))
    assert set(drawn["id"]) <= set(hybridrec.load(run).data.items.vocabulary.ids)


def test_the_page_shows_what_the_command_drew(call, run, clusters):
    path = f"{run.folder / 'maps/als.parquet'}\n"
    assert call("map", run.folder, "als", "--clusters", "noise", "--drawn", 2, "--item", "item 07") == (0, path, "")
    assert call("report", run.folder, "--no-open")[0] == 0
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="map"' in page
    assert "2 of 3 clusters of noise, drawn at random" in page
    status, _, error = call("map", run.folder, "als", "--tag", "tag 01", "--clusters", "noise")
    assert status == 2
    assert "choose one" in error
