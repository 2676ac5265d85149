"""Differences over users, and the queries that moved most."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hybridrec.evaluation.summary import deciding
from hybridrec.reporting import page as pages
from hybridrec.reporting import query_diffs
from hybridrec.reporting.query_diffs import HITS, MANY, PLACES, Differences, furthest, target_of


def test_moved_queries_are_those_with_the_largest_differences(hostile_run):
    (difference,) = pages._differences(hostile_run)
    frame = hostile_run.per_query()
    control, hybrid = (frame.filter(pl.col("pipeline") == name)["ndcg@5"] for name in ("control", "hybrid"))
    gains = (hybrid - control).to_list()
    assert [moved.gain for moved in difference.better] == sorted(gains, reverse=True)[:5]
    assert [moved.gain for moved in difference.worse] == sorted(gain for gain in gains if gain < 0)[:5]
    row, histogram = difference.row, difference.histogram
    assert (row.variant, row.control) == ("hybrid", "control")
    assert (histogram.wins, histogram.ties, histogram.losses) == (row.wins, row.ties, row.losses)
    best = difference.better[0]
    hits = [any(place.relevant for place in slate.places[:5]) for slate in best.slates]
    assert hits == [slate.value > 0 for slate in best.slates]
    assert all(place.name[-1].isdigit() for slate in best.slates for place in slate.places)


def test_what_was_hidden_is_named_and_found_below_the_first_places(hostile_run):
    differences = Differences(hostile_run)
    row = deciding(hostile_run.report)[0]
    best = differences.of(row).better[0]
    hidden = differences.queries.row(best.query, named=True)["relevant_items"]
    assert best.relevant == [differences.names[item] for item in hidden]
    ids = [f"id {place}" for place in range(1, 41)]
    places = query_diffs._places(ids, {"id 3", "id 12", "id 40"}, {"id 12": "twelve"})
    assert [place.rank for place in places] == [*range(1, 11), 12, 40]
    assert [(place.rank, place.name) for place in places if place.relevant] == [
        (3, "id 3"),
        (12, "twelve"),
        (40, "id 40"),
    ]
    assert len(query_diffs._places(ids, set(ids), {})) == PLACES + HITS


def test_of_many_pairs_each_is_folded_under_its_wins_and_losses(hostile_run, monkeypatch):
    (difference,) = pages._differences(hostile_run)
    plain = pages.render(hostile_run)
    assert "<h3><bdi>hybrid</bdi> against" in plain
    monkeypatch.setattr(pages, "_differences", lambda run: [difference] * (MANY + 1))
    folded = pages.render(hostile_run)
    assert "<h3><bdi>hybrid</bdi> against" not in folded
    histogram = difference.histogram
    told = f"{histogram.wins} wins, {histogram.ties} ties, {histogram.losses} losses</summary>"
    assert folded.count(told) == MANY + 1


def test_the_furthest_come_first_and_of_equal_gains_the_earlier():
    gains = np.array([0.5, -1.0, np.nan, 0.5, 0.0, 2.0, 1e-15])
    assert furthest(gains) == [5, 0, 3]  # neither losses, nor ties, nor queries without a value
    assert furthest(-gains) == [1]
    assert furthest(np.arange(1.0, 20)) == [18, 17, 16, 15, 14]


@pytest.mark.parametrize(("metric", "target"), [("ndcg@10", "items"), ("tags/ndcg@10", "tags"), ("tags@10", "items")])
def test_the_target_stands_before_the_metric(metric, target):
    assert target_of(metric) == target


def test_where_less_is_better_a_loss_of_the_number_is_a_gain(hostile_run):
    row = deciding(hostile_run.report)[0]
    upright, reversed_ = Differences(hostile_run), Differences(hostile_run)
    reversed_.lower_is_better = [row.metric]
    straight, other = upright.of(row), reversed_.of(row)
    assert (straight.histogram.wins, straight.histogram.losses) == (other.histogram.losses, other.histogram.wins)
    assert [moved.query for moved in straight.better] == [moved.query for moved in other.worse]
    assert [moved.gain for moved in straight.better] == [-moved.gain for moved in other.worse]


def test_a_metric_that_no_query_has_makes_no_difference(hostile_run):
    row = deciding(hostile_run.report)[0]
    differences = Differences(hostile_run)
    nothing = pl.lit(None, pl.Float64).alias(row.metric)
    differences.measured = {name: frame.with_columns(nothing) for name, frame in differences.measured.items()}
    assert differences.of(row) is None
