"""Metrics are named with their cut-off, and the nearest name is offered."""

from __future__ import annotations

import pytest

from hybridrec.errors import ConfigError
from hybridrec.evaluation.metrics import parse_metric
from tests.evaluation.batches import CLASSES


def test_measure_from_text():
    measure = parse_metric(" ndcg@20 ", CLASSES)
    metric, k = measure
    assert (metric.name, k, measure.name) == ("ndcg", 20, "ndcg@20")
    assert measure.key("items") == "ndcg@20"
    assert measure.key("tags") == "tags/ndcg@20"
    assert parse_metric("r-precision", CLASSES).name == "r-precision"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ndgc@20", "did you mean 'ndcg'"),
        ("ndcg", "the cut-off is missing; write 'ndcg@10'"),
        ("ndcg@", "'' is not a whole number"),
        ("ndcg@0", "'0' is not a whole number"),
        ("ndcg@-3", "'-3' is not"),
        ("ndcg@1.5", "'1.5' is not"),
        ("ndcg@٣", "is not a whole number"),
        ("r-precision@5", "takes no cut-off; write 'r-precision'"),
        ("", "unknown metric ''"),
    ],
)
def test_bad_measures_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_metric(text, CLASSES)


def test_only_set_metrics_have_a_value():
    with pytest.raises(TypeError, match="ndcg@5"):
        parse_metric("ndcg@5", CLASSES).value([])
