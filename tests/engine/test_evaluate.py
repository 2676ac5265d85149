"""The measurement of a fold: values per query, their means, and sums of metrics."""

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.engine.evaluate import judge, weighted_mean
from hybridrec.engine.folds import folds_of
from hybridrec.engine.runner import read
from hybridrec.registry.discovery import Registry
from hybridrec.stages.slate import Slate


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


def test_a_mean_is_over_the_queries_that_have_a_value():
    values, weights = np.array([1.0, np.nan, 0.0]), np.array([3.0, 5.0, 1.0])
    assert weighted_mean(values, weights) == 0.75
    assert weighted_mean(np.array([np.nan]), np.ones(1)) is None
    assert weighted_mean(np.empty(0), np.empty(0)) is None


def test_slates_are_judged_by_what_was_hidden(experiment):
    checked = load_experiment(experiment(), Registry())
    (fold,) = folds_of(checked, read(checked))
    truth, history = fold.truth["items"], fold.queries.history
    asked = [row for row in range(len(fold.queries)) if truth[[row]].nnz and history.lengths[row]]
    ids = np.full((len(fold.queries), 2), -1, np.int32)
    for row in asked:  # an item that was hidden, then one that the query shows
        ids[row] = truth[[row]].indices[0], history.ids[history.offsets[row]]
    slate = Slate("items", ids, np.zeros(ids.shape, np.float32), np.zeros(len(ids), np.int8), ("blend",))
    batch = judge(fold, "items", slate)
    assert len(asked) > 10
    assert batch.hits[asked].tolist() == [[True, False]] * len(asked)
    assert batch.hits.sum() == len(asked)
    assert batch.train is fold.train


def test_relevant_items_are_divided_into_new_and_repeated_ones(experiment):
    replacements = (
        ("split: {use: masked, test: 0.3}", "split: {use: temporal, seen: allow}"),
        ("targets: {items: 10, tags: 5}", "targets: {items: 10}"),
        ("fallback: [tag-fallback, popularity]}\n  hybrid:", "fallback: [popularity], seen: allow}\n  hybrid:"),
        ("    fallback: [tag-fallback, popularity]\n", "    fallback: [popularity]\n    seen: allow\n"),
        ("[ndcg@5, tags/ndcg@5]", "[recall@5, {use: recall, at: 5, of: new}, {use: recall, at: 5, of: repeated}]"),
    )
    run = hybridrec.run(experiment(*replacements))
    frame = run.per_query().filter(pl.col("pipeline") == "hybrid").fill_nan(None)
    names = [name for name in frame.columns if name.startswith("recall")]
    assert names == ["recall@5", "recall[of=new]@5", "recall[of=repeated]@5"]
    queries = run.queries()
    repeated = [len(set(row["items"]) & set(row["relevant_items"])) for row in queries.iter_rows(named=True)]
    relevant = queries["relevant_items"].list.len().to_list()
    assert 0 < sum(repeated) < sum(relevant)
    for row, values in enumerate(frame.select(names).iter_rows()):
        whole, new, old = values
        assert (new is None) == (repeated[row] == relevant[row])
        assert (old is None) == (repeated[row] == 0)
        hits = (new or 0) * (relevant[row] - repeated[row]) + (old or 0) * repeated[row]
        assert whole * relevant[row] == pytest.approx(hits)
