"""Borda points over several metrics, by hand."""

import pytest

from hybridrec.evaluation.borda import borda_points
from hybridrec.evaluation.report import MetricReport, PipelineReport


def arms(**values):
    """Arms with these means of r-precision, ndcg and clicks."""
    reports = {}
    for name, means in values.items():
        metrics = {key: MetricReport(mean=mean) for key, mean in zip(("r", "ndcg", "clicks"), means, strict=True)}
        reports[name] = PipelineReport(queries=1, units=1, metrics=metrics, segments={})
    return reports


@pytest.mark.parametrize(
    ("given", "points"),
    [
        ({"a": (0.3, 0.5, 2.0), "b": (0.2, 0.4, 1.0), "c": (0.1, 0.6, 3.0)}, {"a": 7, "b": 6, "c": 5}),
        ({"a": (0.3, 0.5, 2.0), "b": (0.3, 0.4, 2.0), "c": (0.1, 0.3, 2.0)}, {"a": 7.5, "b": 6.5, "c": 4}),
        ({"a": (None, 0.5, 2.0), "b": (0.0, 0.4, None)}, {"a": 5, "b": 4}),
    ],
)
def test_points_by_hand(given, points):
    assert borda_points(arms(**given), ["r", "ndcg", "clicks"], ["clicks"]) == points


def test_only_the_metrics_that_are_named_count():
    assert borda_points(arms(a=(0.1, 0.9, 1.0), b=(0.2, 0.1, 0.0)), ["r"]) == {"a": 1, "b": 2}
