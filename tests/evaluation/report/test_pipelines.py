"""Results of an arm by segment and by what served the query."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.evaluation.report import MetricReport, PipelineReport, SegmentReport, TradeoffPoint, TradeoffReport
from hybridrec.evaluation.summary import summarise
from tests.evaluation.report.conftest import SAMPLE, UNITS


def test_means_by_segment_and_by_what_served_the_query(arms, report):
    values = arms["hybrid"].values["ndcg@10"]
    hybrid = report.pipelines["hybrid"]
    assert (hybrid.queries, hybrid.units) == (2 * UNITS, UNITS)
    assert hybrid.metrics["ndcg@10"].mean == pytest.approx(np.average(values, weights=SAMPLE.weights))
    assert hybrid.segments["all"].metrics == hybrid.metrics
    assert hybrid.segments["tags"].metrics["ndcg@10"].mean == pytest.approx(values[1::2].mean())
    assert hybrid.segments["tags"].queries == UNITS
    low, high = hybrid.metrics["ndcg@10"].ci95
    assert low < hybrid.metrics["ndcg@10"].mean < high
    served_by = hybrid.served_by["popularity"]
    assert (served_by.queries, served_by.share) == (10, pytest.approx(0.1))
    assert served_by.metrics["ndcg@10"].mean == pytest.approx(np.average(values[:10], weights=SAMPLE.weights[:10]))


def test_means_of_a_server_of_one_whole_segment_are_those_of_the_segment(arms, rng):
    served = [replace(arm, served_by=np.tile(["main", "popularity"], UNITS)) for arm in arms.values()]
    for name, pipeline in summarise(served, rng, resamples=500).items():
        for segment, served_by in (("items", "main"), ("tags", "popularity")):
            assert pipeline.segments[segment].metrics["ndcg@10"] == pipeline.served_by[served_by].metrics["ndcg@10"]
        mean = arms[name].values["ndcg@10"][1::2].mean()
        assert pipeline.served_by["popularity"].metrics["ndcg@10"].mean == pytest.approx(mean)


def test_an_arm_of_an_older_file_has_no_more_than_its_metrics():
    whole = SegmentReport(queries=4, metrics={"ndcg@10": MetricReport(mean=0.5)})
    arm = PipelineReport(queries=4, units=2, metrics=whole.metrics, segments={"all": whole})
    assert (arm.single, arm.borda, arm.duplicate_of) == (False, None, None)
    other = PipelineReport(queries=4, units=2, metrics=whole.metrics, segments={"all": whole})
    other.learned["test"] = {"items": {}}
    assert arm.learned == {}  # no two arms share what they learned


@pytest.mark.parametrize(("target", "has_truth"), [("items", True), ("tags", True), ("play/lists", False)])
def test_the_ceiling_is_by_target(target, has_truth):
    def made():
        return PipelineReport(queries=1, units=1, metrics={}, segments={}, candidate_recall={target: np.nan})

    if has_truth:
        assert made().candidate_recall == {target: None}
    else:
        with pytest.raises(ValidationError, match="candidate_recall"):
            made()


def test_the_points_of_a_curve_keep_their_order():
    points = [TradeoffPoint(value=value, metrics={}) for value in (0.9, 0.1, 0.5)]
    curve = TradeoffReport(pipeline="hybrid", vary="rerank.1.relevance", points=points)
    again = TradeoffReport.model_validate_json(curve.model_dump_json())
    assert [point.value for point in again.points] == [0.9, 0.1, 0.5]
