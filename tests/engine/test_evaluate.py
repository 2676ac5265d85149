"""The measurement of a fold: values per query, their means, and sums of metrics."""

import polars as pl
import pytest

import hybridrec


def test_per_query_values_are_what_the_means_are_made_of(experiment):
    run = hybridrec.run(experiment())
    frame = run.per_query().filter(pl.col("pipeline") == "hybrid")
    values = frame.filter(pl.col("ndcg@5").is_not_nan())
    mean = (values["ndcg@5"] * values["weight"]).sum() / values["weight"].sum()
    assert run.report.pipelines["hybrid"].metrics["ndcg@5"].mean == pytest.approx(mean)
    assert set(frame["unit"]) <= {f"user {u:02}" for u in range(60)}
    segments = run.report.pipelines["hybrid"].segments
    assert {**dict(frame["segment"].value_counts().iter_rows()), "all": len(frame)} == {
        name: segment.queries for name, segment in segments.items()
    }


def test_a_combined_metric_is_measured_and_compared_as_any_other(experiment):
    combined = "  combined: {both: {recall@5: 0.85, tags/ndcg@5: 0.15}}\n  resamples"
    run = hybridrec.run(experiment(("[ndcg@5,", "[both, ndcg@5,"), ("  resamples", combined)))
    metrics = run.report.pipelines["hybrid"].metrics
    assert [name for name in metrics if metrics[name].ci95][:1] == ["both"]
    assert {"recall@5", "tags/ndcg@5"} <= metrics.keys()
    assert run.report.comparison[0].metric == "both"
    frame = run.per_query().fill_nan(None)
    whole = frame.filter(pl.col("recall@5").is_not_null(), pl.col("tags/ndcg@5").is_not_null())
    wanted = 0.85 * whole["recall@5"] + 0.15 * whole["tags/ndcg@5"]
    assert len(whole)
    assert whole["both"].to_list() == pytest.approx(wanted.to_list())
    only = frame.filter(pl.col("recall@5").is_not_null(), pl.col("tags/ndcg@5").is_null())
    assert only["both"].to_list() == pytest.approx(only["recall@5"].to_list())
