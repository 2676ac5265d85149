"""Rows, families, verdicts and sentences of a comparison; what cannot be compared is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hybridrec.errors import ConfigError, DataError
from hybridrec.evaluation.compare import compare, describe_comparison, verdict
from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.evaluation.statistics import benjamini_hochberg, detectable, holm

UNITS = 300
SAMPLE = Sample(
    units=np.repeat(np.arange(UNITS, dtype=np.int32), 2),
    weights=np.tile([0.75, 0.25], UNITS),
    segments=np.tile(["items", "tags"], UNITS),
    digest="x",
)


def arm(name, gain=0.0, spread=0.05, sample=SAMPLE, **more):
    """ndcg@10 around the same difficulty of each query, plus `gain`; recall@10 without any difference."""
    source = np.random.default_rng(sum(name.encode()))
    hard = np.random.default_rng(1).random(len(sample))
    values = {"ndcg@10": hard + gain + source.normal(0, spread, len(sample)), "recall@10": hard}
    return EvaluatedArm(name, sample, values, **more)


def run(arms, pairs, metrics=("ndcg@10",), **more):
    return compare({a.name: a for a in arms}, pairs, metrics, np.random.default_rng(0), **({"resamples": 999} | more))


def test_rows_come_by_pair_metric_and_segment():
    arms = [arm("c"), arm("b", 0.1), arm("a", -0.1)]
    rows = run(arms, [("c", "b"), ("c", "a")], ["recall@10", "ndcg@10"])
    keys = [(row.variant, row.metric, row.segment) for row in rows]
    segments = ("all", "items", "tags")
    assert keys == [(v, m, s) for v in ("b", "a") for m in ("recall@10", "ndcg@10") for s in segments]
    by_place = {(row.variant, row.metric, row.segment): row for row in rows}
    assert by_place["b", "ndcg@10", "all"].verdict == "better"
    assert by_place["a", "ndcg@10", "tags"].verdict == "worse"
    equal = by_place["a", "recall@10", "all"]
    assert (equal.verdict, equal.p_adjusted, equal.ties, equal.units) == ("undecided", 1, UNITS, UNITS)


def test_a_segment_that_is_everything_says_the_same_as_all():
    alone = replace(SAMPLE, segments=np.full(2 * UNITS, "items"))
    arms = [arm(name, gain, sample=alone) for name, gain in (("c", 0), ("b", 0.1), ("a", -0.1))]
    rows = run(arms, [("c", "b"), ("c", "a")], ["recall@10", "ndcg@10"])
    by_place = {(row.variant, row.metric, row.segment): row for row in rows}
    for variant, gain in (("b", 0.1), ("a", -0.1)):
        for metric in ("recall@10", "ndcg@10"):
            whole = by_place[variant, metric, "all"]
            assert by_place[variant, metric, "items"].model_copy(update={"segment": "all", "segmenter": ""}) == whole
        assert whole.delta == pytest.approx(gain, abs=0.02)


def test_each_segmenter_is_a_family_of_its_own():
    parts = {"activity": np.tile(["0-4", "5-19", "20 or more"], UNITS * 2 // 3), "hour": np.tile(["9", "10"], UNITS)}
    several = replace(SAMPLE, more_segments=parts)
    arms = [arm(name, gain, sample=several) for name, gain in (("c", 0), ("b", 0.004), ("a", 0.006))]
    rows = run(arms, [("c", "b"), ("c", "a")])
    names = ["all", "items", "tags", "activity: 0-4", "activity: 5-19", "activity: 20 or more", "hour: 9", "hour: 10"]
    assert [row.segment for row in rows] == names * 2
    families = {}
    for row in rows:
        families.setdefault(row.segmenter, []).append(row)
    sizes = {"": 2, "known-fields": 4, "activity": 6, "hour": 4}
    assert {segmenter: len(family) for segmenter, family in families.items()} == sizes
    for segmenter, family in families.items():
        assert {row.family for row in family} == {sizes[segmenter]}
        corrected = holm(np.array([row.p_value for row in family]))
        assert [row.p_adjusted for row in family] == pytest.approx(corrected)
    alone = run([replace(evaluated, sample=SAMPLE) for evaluated in arms], [("c", "b"), ("c", "a")])
    same = [row for row in rows if row.segmenter in ("", "known-fields")]
    for field in ("segment", "delta", "standard_error", "family", "wins"):
        assert [getattr(row, field) for row in same] == [getattr(row, field) for row in alone]


def test_the_delta_is_that_of_the_weighted_means():
    arms = [arm("c"), arm("v", 0.1)]
    row = run(arms, [("c", "v")])[0]
    base, other = (np.average(a.values["ndcg@10"], weights=SAMPLE.weights) for a in arms)
    assert row.delta == pytest.approx(other - base)
    assert row.relative == pytest.approx(other / base - 1)
    assert row.ci95[0] < row.delta < row.ci95[1]
    assert row.relative_ci95[0] < row.relative < row.relative_ci95[1]
    assert row.wins + row.ties + row.losses == row.units == UNITS


def test_holm_goes_over_the_declared_pairs_of_a_metric():
    arms = [arm("c"), *(arm(f"v{n}", 0.004 * n) for n in range(4))]
    rows = run(arms, [("c", f"v{n}") for n in range(4)])
    whole = [row for row in rows if row.segment == "all"]
    parts = [row for row in rows if row.segment != "all"]
    for family in (whole, parts):
        np.testing.assert_allclose([r.p_adjusted for r in family], holm(np.array([r.p_value for r in family])))
        assert {row.family for row in family} == {len(family)}
    assert (len(whole), len(parts)) == (4, 8)


def test_only_queries_that_both_arms_define_are_paired():
    control, variant = arm("c", spread=0), arm("v", 0.1, spread=0)
    variant.values["ndcg@10"][:10] = np.nan
    control.values["ndcg@10"][20:30] = np.nan
    row = run([control, variant], [("c", "v")])[0]
    both = ~np.isnan(control.values["ndcg@10"] + variant.values["ndcg@10"])
    mean = np.average(control.values["ndcg@10"][both], weights=SAMPLE.weights[both])
    assert row.delta == pytest.approx(0.1)
    assert row.relative == pytest.approx(0.1 / mean)
    assert row.units == UNITS - 10


def test_a_segment_without_the_metric_is_left_out():
    arms = [arm("c"), arm("v")]
    for evaluated in arms:
        evaluated.values["ndcg@10"][SAMPLE.segments == "tags"] = np.nan
    rows = run(arms, [("c", "v")])
    assert [(row.segment, row.family) for row in rows] == [("all", 1), ("items", 1)]


def test_numbers_of_the_whole_run_are_not_tested():
    arms = [arm("c", set_values={"coverage@10": 0.4}), arm("v", set_values={"coverage@10": 0.5})]
    rows = run(arms, [("c", "v")], ["coverage@10", "recall@10"])
    row = rows[0]
    assert (row.metric, row.segment, row.verdict, row.p_value, row.ci95) == (
        "coverage@10",
        "all",
        "not tested",
        None,
        None,
    )
    assert row.delta == pytest.approx(0.1)
    assert row.relative == pytest.approx(0.25)
    assert describe_comparison(row) == "v differs from c in coverage@10 (not tested): +0.1000 (+25.0 %)"
    assert len(rows) == 4


def test_lower_can_be_better():
    row = run([arm("c"), arm("v", -0.1)], [("c", "v")], lower_is_better={"ndcg@10"})[0]
    assert row.verdict == "better"
    assert row.delta < 0
    assert row.wins > row.losses


def test_the_same_generator_gives_the_same_rows():
    arms = [arm("c"), arm("v", 0.003)]
    assert run(arms, [("c", "v")]) == run(arms, [("c", "v")])


def test_nothing_declared_nothing_compared():
    assert run([arm("c")], []) == []
    assert run([arm("c"), arm("v")], [("c", "v")], []) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(SAMPLE, weights=SAMPLE.weights[::-1]),
        replace(SAMPLE, segments=SAMPLE.segments[::-1]),
        replace(SAMPLE, units=SAMPLE.units[::-1]),
        replace(SAMPLE, digest="y"),
        Sample(SAMPLE.units[:-2], SAMPLE.weights[:-2], SAMPLE.segments[:-2], "x"),
    ],
)
def test_arms_with_other_queries_are_refused(other):
    with pytest.raises(DataError, match="'c' and 'v' cannot be compared"):
        run([arm("c"), arm("v", sample=other)], [("c", "v")])


def test_unknown_arms_and_metrics_are_refused():
    with pytest.raises(ConfigError, match="unknown arm 'hybird'; did you mean 'hybrid'"):
        run([arm("c"), arm("hybrid")], [("c", "hybird")])
    with pytest.raises(ConfigError, match="unknown metric of 'c' 'ndcg@20'; did you mean 'ndcg@10'"):
        run([arm("c"), arm("v")], [("c", "v")], ["ndcg@20"])


def row(**more):
    fields = {
        "control": "c",
        "variant": "v",
        "metric": "m",
        "segment": "all",
        "units": 9,
        "delta": 0.01,
        "ci95": (0.005, 0.015),
        "relative": 0.04,
        "relative_ci95": (0.02, 0.06),
        "p_value": 0.001,
        "p_adjusted": 0.003,
        "family": 3,
        "wins": 5,
        "ties": 1,
        "losses": 3,
        "verdict": "better",
    }
    return Comparison(**(fields | more))


@pytest.mark.parametrize(
    ("numbers", "margin", "expected"),
    [
        ({}, None, "better"),
        ({"delta": -0.01, "ci95": (-0.015, -0.005)}, None, "worse"),
        ({"p_adjusted": 0.05}, None, "undecided"),
        ({"ci95": (-0.001, 0.02)}, None, "undecided"),
        ({"ci95": None}, None, "undecided"),
        ({}, 0.05, "better"),
        ({}, 0.06, "equivalent within the margin"),
        ({"relative_ci95": (-0.07, 0.01)}, 0.06, "better"),
        ({"relative_ci95": None}, 0.06, "better"),
    ],
)
def test_verdict(numbers, margin, expected):
    assert verdict(row(**numbers), margin=margin) == expected


def test_what_is_undecided_says_how_many_users_would_decide():
    rows = run([arm("c"), arm("near", 0.001), arm("far", 0.1)], [("c", "near"), ("c", "far")])
    near, far = (row for row in rows if row.segment == "all")
    assert (near.verdict, far.verdict) == ("undecided", "better")
    assert far.units_to_decide is None
    assert near.units_to_decide > UNITS
    assert far.detectable < far.delta
    assert near.detectable == pytest.approx(detectable(near.standard_error, UNITS, 0.05 / 2))
    assert near.units_to_decide == math.ceil(UNITS * (near.detectable / near.delta) ** 2)
    assert describe_comparison(near).endswith(f"; about {near.units_to_decide:,} users would decide")


def test_sweeps_may_be_corrected_by_false_discovery_rate():
    arms = [arm("c"), *(arm(f"v{n}", 0.004 * n) for n in range(4))]
    pairs = [("c", f"v{n}") for n in range(4)]
    rows = [row for row in run(arms, pairs, correction="bh") if row.segment == "all"]
    expected = benjamini_hochberg(np.array([row.p_value for row in rows]))
    np.testing.assert_allclose([row.p_adjusted for row in rows], expected)
    strict = [row.p_adjusted for row in run(arms, pairs) if row.segment == "all"]
    assert all(row.p_adjusted <= p for row, p in zip(rows, strict, strict=True))
    assert "Benjamini-Hochberg-adjusted over 4 comparisons" in describe_comparison(rows[0])


def test_sentence():
    assert describe_comparison(row()) == (
        "v beats c in m by +0.0100 (+4.0 %, 95 % interval +2.0 % ... +6.0 %, p = 0.0030, "
        "Holm-adjusted over 3 comparisons); 5 wins, 1 ties, 3 losses"
    )
    undecided = row(verdict="undecided", segment="tags", relative=None, relative_ci95=None, family=1)
    assert describe_comparison(undecided) == (
        "v against c is undecided in m for tags: +0.0100 (95 % interval +0.0050 ... +0.0150, "
        "p = 0.0030); 5 wins, 1 ties, 3 losses"
    )
