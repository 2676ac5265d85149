"""The map of items: every item has its place on the page, and no name becomes markup."""

from __future__ import annotations

import html
import re
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import MapLegend, StripesFigure
from hybridrec.reporting import page as pages
from hybridrec.reporting.map_section import COLOURS, NAMED, SIZE, Group, ItemMap, maps
from hybridrec.runs.run import Run
from tests.reporting.conftest import tamed
from tests.reporting.test_page import Reader

LEGEND = MapLegend(colours=tamed(4), groups=[tamed(n) for n in range(3)], of=24)


def places(n, groups=3):
    """Return a map of n items of hostile names, some in no group."""
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {"id": [str(k) for k in range(n)], "name": [tamed(k) for k in range(n)], "count": range(n, 0, -1),
         "x": rng.normal(size=n), "y": rng.normal(size=n), "group": np.arange(n) % (groups + 1) - 1}
    )  # fmt: skip


@pytest.fixture
def mapped(hostile_run, tmp_path) -> Run:
    """A copy of the hostile run with a map."""
    run = Run.open(shutil.copytree(hostile_run.folder, tmp_path / "run"))
    stripes = StripesFigure(tamed(1), [tamed(2)], np.ones((1, 3), np.float32))
    run.add_map("pop", places(24), LEGEND, [stripes])
    return run


def sections(text: str) -> set[str]:
    return {str(section["id"]) for section in Reader(text).all("section")}


def test_the_map_names_every_item_and_takes_no_name_for_markup(mapped):
    text = pages.render(mapped)
    parsed = Reader(text)
    assert "map" in sections(text)
    dots = [circle for circle in parsed.all("circle") if circle.get("class", "") in ("c0", "c1", "c2", "c3")]
    assert len(dots) == 24
    assert all(0 <= float(str(dot["cx"])) <= 640 >= float(str(dot["cy"])) >= 0 for dot in dots)
    titles = [html.unescape(name) for name in re.findall(r"<circle class=.*?<title>(.*?)</title>", text, re.S)]
    assert sorted(titles) == sorted(tamed(n) for n in range(24))
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")
    section = html.unescape(text[text.index('<section id="map"') :].partition("</section>")[0])
    assert section.count('class="stripes"') == 1
    assert f"Colours are <bdi>{tamed(4)}</bdi>" in section
    assert "All 24 items that have a vector." in section


def test_a_damaged_map_is_named(mapped):
    (mapped.folder / "maps/pop.parquet").write_bytes(b"no parquet")
    with pytest.raises(hybridrec.StoreError, match=r"maps/pop\.parquet: damaged \(10 bytes, "):
        pages.render(mapped)


def test_the_best_known_of_each_group_name_it(mapped):
    (drawn,) = maps(mapped)
    assert (drawn.label, len(drawn.points), drawn.others, list(drawn.dots)) == ("pop", 24, 0, [])
    assert [(group.colour, group.name, group.items) for group in drawn.groups] == [
        (1, tamed(0), 6), (2, tamed(1), 6), (3, tamed(2), 6),
    ]  # fmt: skip
    assert drawn.groups[1].members == [tamed(n) for n in (2, 6, 10, 14, 18, 22)]
    assert drawn.description.startswith(
        f"24 items of pop; nearby points are similar. {tamed(0)}: {tamed(1)}, {tamed(5)}"
    )
    radii = [point.radius for point in drawn.points]
    assert radii == sorted(radii)  # the best known are drawn last
    assert radii[-1] == 8
    assert [point.colour for point in drawn.points[-4:]] == [3, 2, 1, 0]
    assert maps(hybridrec.Run.open(mapped.folder)) == [drawn]


def test_all_but_the_best_known_are_dots_of_a_path_for_each_colour():
    n, groups = NAMED + 500, COLOURS + 3
    legend = MapLegend(colours="", groups=["g"] * groups, of=n + 1)
    drawn = ItemMap.of("big", places(n, groups), legend)
    assert len(drawn.points) == NAMED
    assert [dots.colour for dots in drawn.dots] == list(range(COLOURS + 1))
    assert sum(dots.path.count("h0") for dots in drawn.dots) == 500
    assert [group.colour for group in drawn.groups] == list(range(1, COLOURS + 1))
    assert drawn.others == 3
    small, large = (ItemMap.of("m", places(size, groups), legend).dot for size in (30, 70_000))
    assert small > large


def test_a_map_of_some_says_of_how_many(mapped):
    run = Run.open(mapped.folder)
    run.add_map("pop", places(24), LEGEND.model_copy(update={"of": 70_000}))
    assert "The 24 of 70,000 items that occur in the most queries." in pages.render(run)


def test_a_long_name_is_cut_and_stands_where_there_is_room():
    left = Group(1, "g", 3, ["a" * 28], x=SIZE / 2 - 1, y=0)
    right = Group(1, "g", 3, ["a" * 29], x=SIZE / 2, y=0)
    assert (left.label, left.anchor) == ("a" * 28, "start")
    assert (right.label, right.anchor) == ("a" * 27 + "…", "end")


def test_labels_do_not_lie_on_one_another(mapped):
    (drawn,) = maps(mapped)
    first = Group(1, "g", 3, ["name"], x=100, y=100)
    for x, y, covered in ((110, 105, True), (110, 130, False), (200, 100, False), (90, 90, True)):
        second = first._replace(x=x, y=y)
        assert first.covers(second) is second.covers(first) is covered
        kept = replace(drawn, groups=[first, second]).labels
        assert kept == ([first] if covered else [first, second])


def test_items_in_one_place_are_drawn_there(mapped):
    mapped.add_map("pop", places(24).with_columns(x=pl.lit(2.5), y=pl.lit(-1.0)), LEGEND)
    (drawn,) = maps(Run.open(mapped.folder))
    assert {(point.x, point.y) for point in drawn.points} == {(16.0, 16.0)}


def test_a_run_without_maps_has_none(hostile_run):
    assert maps(hostile_run) == []
