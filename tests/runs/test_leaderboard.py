"""Runs side by side: order, differences, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.runs.leaderboard import leaderboard


def test_best_first_among_those_that_asked_the_same_with_the_keys_that_differ(experiment):
    config = experiment()
    for weight in (0.9, 0.2):
        hybridrec.run(config, [f"pipelines.hybrid.rerank=[{{use: weighted, weights: {{ease: 1, pop: {weight}}}}}]"])
    other = hybridrec.run(config, ["split.hide=0.4"])
    board = leaderboard("runs")
    assert board.metric == "ndcg@5"
    assert board.unreadable == []
    latest, earlier = board.groups
    assert [ranked.run.folder for ranked in latest.runs] == [other.folder]
    assert latest.queries == other.lock["sample"] != earlier.queries
    assert latest.asked == other.report.pipelines["hybrid"].queries
    weight, hide = "pipelines.hybrid.rerank[0].weights.pop", "split.hide"
    assert (latest.differences, earlier.differences) == ({weight: "0.2", hide: "0.4"}, {hide: "0.5"})
    assert latest.runs[0].differences == {}
    assert sorted(ranked.differences[weight] for ranked in earlier.runs) == ["0.2", "0.9"]
    assert all(set(ranked.differences) == {weight} for ranked in earlier.runs)
    means = [ranked.result.mean for ranked in earlier.runs]
    assert means == sorted(means, reverse=True)
    best = earlier.runs[0]
    blends = [arm.metrics["ndcg@5"].mean for arm in best.run.report.pipelines.values()]
    assert best.result.mean == max(blends)


def test_a_run_without_the_metric_comes_last(experiment):
    config = experiment()
    hybridrec.run(config)
    other = hybridrec.run(config, ["compare.metrics=[recall@5]"])
    board = leaderboard("runs", "ndcg@5")
    (group,) = board.groups
    assert [ranked.result is None for ranked in group.runs] == [False, True]
    assert group.runs[1].run.folder == other.folder
    with pytest.raises(ConfigError, match="no run has the metric 'ndgc@5': did you mean 'ndcg@5'"):
        leaderboard("runs", "ndgc@5")


def test_damaged_runs_are_named_and_passed_over(experiment):
    hybridrec.run(experiment())
    damaged = Path("runs/damaged")
    damaged.mkdir()
    (damaged / "report.json").write_text("{}")
    board = leaderboard("runs")
    assert [len(group.runs) for group in board.groups] == [1]
    assert "damaged has no manifest.json" in board.unreadable[0]
    with pytest.raises(DataError, match="elsewhere holds no finished runs"):
        leaderboard("elsewhere")
