"""Runs side by side: order, differences, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.experiment.listing import listing


def test_best_first_with_the_keys_that_differ(experiment):
    config = experiment()
    for weight in (0.9, 0.2):
        hybridrec.run(config, [f"pipelines.hybrid.rerank=[{{use: weighted, weights: {{ease: 1, pop: {weight}}}}}]"])
    hybridrec.run(config, ["split.hide=0.4"])
    found = listing("runs")
    assert found.metric == "ndcg@5"
    assert found.unreadable == []
    means = [one.result.mean for one in found.runs]
    assert means == sorted(means, reverse=True)
    assert len({one.queries for one in found.runs}) == 2
    weight, hide = "pipelines.hybrid.rerank[0].weights.pop", "split.hide"
    assert sorted((one.differences[weight], one.differences[hide]) for one in found.runs) == [
        ("0.2", "0.4"), ("0.2", "0.5"), ("0.9", "0.5"),
    ]  # fmt: skip
    assert all(set(one.differences) == {weight, hide} for one in found.runs)
    best = found.runs[0]
    blends = [arm.metrics["ndcg@5"].mean for arm in best.run.report.pipelines.values()]
    assert best.result.mean == max(blends)


def test_a_run_without_the_metric_comes_last(experiment):
    config = experiment()
    hybridrec.run(config)
    other = hybridrec.run(config, ["compare.metrics=[recall@5]"])
    found = listing("runs", "ndcg@5")
    assert [one.result is None for one in found.runs] == [False, True]
    assert found.runs[1].run.folder == other.folder
    with pytest.raises(ConfigError, match="no run has the metric 'ndgc@5': did you mean 'ndcg@5'"):
        listing("runs", "ndgc@5")


def test_damaged_runs_are_named_and_passed_over(experiment):
    hybridrec.run(experiment())
    damaged = Path("runs/damaged")
    damaged.mkdir()
    (damaged / "report.json").write_text("{}")
    found = listing("runs")
    assert len(found.runs) == 1
    assert "damaged/report.json cannot be read" in found.unreadable[0]
    with pytest.raises(DataError, match="elsewhere holds no finished runs"):
        listing("elsewhere")
