"""Trade-off curves: where their points stand."""

from __future__ import annotations

from hybridrec.evaluation.report import MetricReport, TradeoffPoint, TradeoffReport
from hybridrec.reporting.curves import Curve
from hybridrec.reporting.figures import WIDTH


def report(*points):
    """(value, ndcg, diversity, coverage) of each point; None where a metric has no number."""
    made = []
    for value, ndcg, diversity, coverage in points:
        low = None if ndcg is None else (ndcg - 0.02, ndcg + 0.02)
        metrics = {"ndcg@5": MetricReport(mean=ndcg, ci95=low), "diversity@5": MetricReport(mean=diversity)}
        made.append(TradeoffPoint(value=value, metrics={**metrics, "coverage@5": MetricReport(mean=coverage)}))
    return TradeoffReport(pipeline="p", vary="rerank.1.relevance", points=made)


def test_every_other_metric_has_a_curve_on_which_all_lies():
    tradeoff = report((0.5, 0.2, 0.9, 0.1), (1.0, 0.3, 0.8, 0.1), (0.1, None, 0.95, 0.2))
    curves = Curve.all_of(tradeoff, "ndcg@5")
    assert [curve.y_metric for curve in curves] == ["diversity@5", "coverage@5"]
    for curve in curves:
        assert [point.x.label for point in curve.points] == ["0.5", "1"]
        for point in curve.points:
            assert all(0 < curve.across(end) < WIDTH for end in point.x.ends)
            assert all(12 < curve.down(end) < curve.bottom for end in point.y.ends)
        assert all(0 < y < curve.bottom for y, _ in curve.ticks)
    more, less = (curves[0].down(point.y.mean) for point in curves[0].points)
    assert more < less  # upwards is more
    assert curves[0].description.startswith(
        "diversity@5 against ndcg@5: at 0.5 ndcg@5 0.2000 ± 0.0200, diversity@5 0.9"
    )


def test_what_is_known_at_one_point_only_has_no_curve():
    assert Curve.all_of(report((0.5, 0.2, None, 0.1), (1.0, 0.3, 0.8, 0.1)), "ndcg@5")[0].y_metric == "coverage@5"
    assert Curve.all_of(report((0.5, None, 0.9, 0.1), (1.0, 0.3, 0.8, 0.1)), "ndcg@5") == []
