"""Items that a query shows or dislikes: excluded by every pipeline that does not say otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import DAY, ConfigError, Query, Ragged
from hybridrec.config.load import load_experiment
from hybridrec.data.splits.temporal import Temporal
from hybridrec.registry.discovery import Registry
from hybridrec.stages.query_filters import DislikedFilter, SeenFilter, SeenOptions
from hybridrec.testing import FilterContract
from tests.stages.builders import ITEMS, QUERIES, N


class TestSeen(FilterContract):
    filter = SeenFilter
    configs = [{}, {"last": 2}, {"days": 0.5}, {"last": 3, "days": 1}]


class TestDisliked(FilterContract):
    filter = DislikedFilter


HISTORY = Ragged(
    np.array([7, 5, 5, 9, 7, 2], np.int32), np.array([0, 5, 6, 6, 6, 6]), N,
    times=np.array([0.0, 1, 2, 3, 4, np.nan]) * DAY,
)  # fmt: skip
ASKED = replace(QUERIES, history=HISTORY, times=np.array([4.5, 4.5, 4.5, np.nan, np.nan]) * DAY)


@pytest.mark.parametrize(("options", "first"), [
    ({}, {2, 5, 7, 9}),
    ({"last": 1}, {2, 7}),
    ({"last": 3}, {2, 5, 7, 9}),
    ({"days": 2}, {2, 7, 9}),
    ({"days": 0.25}, {2}),  # a time that is not known is recent
    ({"days": 3, "last": 2}, {2, 7, 9}),
])  # fmt: skip
def test_a_part_of_the_history_may_be_recommended_again(options, first):
    exclude = SeenFilter(SeenOptions(**options)).exclude(ASKED, "items")
    assert set(exclude.rows.indices) == first
    assert exclude.rows[2:].nnz == 0


def test_without_times_everything_is_recent():
    days = SeenFilter(SeenOptions(days=1))
    for asked in (replace(ASKED, times=None), replace(ASKED, history=replace(HISTORY, times=None))):
        assert set(days.exclude(asked, "items").rows[0].indices) == {5, 7, 9}
    unknown = replace(ASKED, times=np.full(5, np.nan))
    assert set(days.exclude(unknown, "items").rows[0].indices) == {5, 7, 9}


def test_other_kinds_have_no_order_and_no_dislikes():
    for options in ({}, {"last": 1}, {"days": 1}):
        exclude = SeenFilter(SeenOptions(**options)).exclude(QUERIES, "tags")
        assert (exclude.rows != QUERIES.matrix("tags")).nnz == 0
    assert DislikedFilter().exclude(QUERIES, "tags").rows is None
    assert DislikedFilter().exclude(replace(QUERIES, disliked=None), "items").rows is None
    assert DislikedFilter().exclude(QUERIES, "items").rows[1].indices.tolist() == [ITEMS.index(ITEMS[-1])]


CONFIG = """\
name: again
data: {{reader: table, interactions: {{path: plays.csv, user: u, item: i, time: t}}}}
split: {{use: temporal, test: 0.5}}
components: {{popularity: {{}}}}
targets: {{items: 7}}
{shared}
pipelines:
  mine: {{generators: [{{from: popularity, k: 30}}], fallback: [popularity], {rules}}}
compare: {{metrics: [recall@7], resamples: 100}}
refit: all
"""


@pytest.fixture
def made(tmp_path):
    rows = [(f"u{user}", f"i{(user + turn) % 7}", turn) for user in range(6) for turn in range(8)]
    pl.DataFrame(rows, ["u", "i", "t"], orient="row").write_csv(tmp_path / "plays.csv")

    def write(rules="", shared=""):
        path = tmp_path / "again.yaml"
        path.write_text(CONFIG.format(rules=rules, shared=shared), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("rules", "shared", "names"), [
    ("", "", [("seen", None), ("disliked", None)]),
    ("seen: allow", "", [("disliked", None)]),
    ("seen: allow, disliked: allow", "", []),
    ("filters: [{use: seen, last: 2}]", "", [("disliked", None), ("seen", 2)]),
    ("seen: exclude, disliked: exclude", "filters: [{use: seen, last: 3}, {use: disliked}]",
     [("seen", 3), ("disliked", None)]),
])  # fmt: skip
def test_a_listed_filter_stands_in_the_place_of_the_implied_one(made, rules, shared, names):
    (plan,) = load_experiment(made(rules, shared), Registry()).pipelines.values()
    assert [(spec.filter.name, getattr(spec.filter.config, "last", None)) for spec in plan.filters] == names


@pytest.mark.parametrize(("rules", "shared", "place"), [
    ("seen: allow, filters: [{use: seen}]", "", r"again.yaml:8: pipelines\.mine\.filters\[0\]\.use: "
     r"'pipelines\.mine\.seen: allow' says the opposite"),
    ("disliked: allow", "filters: [{use: disliked}]", r"again.yaml:6: filters\[0\]\.use: "
     r"'pipelines\.mine\.disliked: allow' says the opposite"),
])  # fmt: skip
def test_a_filter_and_its_opposite_are_refused(made, rules, shared, place):
    with pytest.raises(ConfigError, match=place):
        load_experiment(made(rules, shared), Registry())


@pytest.fixture
def repeats(monkeypatch):
    """Folds that ask for what their queries show."""
    sound = Temporal.split

    def split(self, data, rng):
        for fold in sound(self, data, rng):
            yield replace(fold, truth=fold.truth | {"items": fold.queries.history.matrix(binary=True)}, gains={})

    monkeypatch.setattr(Temporal, "split", split)


def test_truth_that_all_pipelines_exclude_is_cut(made, repeats):
    """Items had before the last two may be asked for, and are retrieved."""
    run = hybridrec.run(made("filters: [{use: seen, last: 2}]"))
    asked = run.queries()
    for shown, wanted in zip(asked["items"], asked["relevant_items"], strict=True):
        assert {*wanted} == {*shown[:2]}
    assert run.report.pipelines["mine"].segments["all"].metrics["recall@7"].mean == 1


def test_folds_that_ask_for_what_is_seen_are_refused_where_a_pipeline_excludes_all_of_it(made, repeats):
    with pytest.raises(hybridrec.PluginError, match="in its history"):
        hybridrec.run(made())
    for rules in ("seen: allow", "filters: [{use: seen, last: 1}]"):
        assert hybridrec.run(made(rules)).report.pipelines["mine"].segments["all"].metrics["recall@7"].mean == 1


@pytest.mark.parametrize(("rules", "shown"), [
    ("", {"i4", "i5", "i6"}),
    ("filters: [{use: seen, last: 2}]", {"i1", "i4", "i5", "i6"}),
    ("seen: allow", {"i1", "i2", "i3", "i4", "i5", "i6"}),
    ("disliked: allow", {"i0", "i4", "i5", "i6"}),
])  # fmt: skip
def test_a_bundle_serves_by_the_rules_of_the_run(made, tmp_path, rules, shown):
    run = hybridrec.run(made(rules), store=tmp_path / "store", runs=tmp_path / "runs")
    query = Query(items=["i1", "i2", "i3"], disliked=["i0"])
    assert set(hybridrec.load(run.bundle(tmp_path / "again.hybridrec")).recommend(query, 7).to_frame()["id"]) == shown
