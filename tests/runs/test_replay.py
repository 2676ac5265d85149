"""Arms of a finished run, interleaved: what is read is what was written, and the rows are comparisons."""

from __future__ import annotations

import numpy as np
import pytest

import hybridrec
from hybridrec.evaluation.samples import ALL
from hybridrec.runs.replay import interleave_run, stored_slates
from hybridrec.stages import kernels


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment(("[ndcg@5, tags/ndcg@5]", "[recall@5, tags/recall@5]")))


@pytest.mark.parametrize("target", ["items", "tags"])
def test_slates_and_truth_give_the_metric_of_the_run(run, target):
    slates, truth = stored_slates(run, ["control", "hybrid"], target)
    measured = run.per_query().partition_by("pipeline", as_dict=True)
    for name, ids in zip(("control", "hybrid"), slates, strict=True):
        expected = measured[name,]["recall@5" if target == "items" else "tags/recall@5"].to_numpy()
        relevant = np.diff(truth.indptr)
        recall = kernels.hits(ids[:, :5], truth).sum(axis=1) / np.where(relevant, relevant, np.nan)
        np.testing.assert_allclose(recall, expected)


def test_rows_are_comparisons_of_shares_won(run):
    rows = interleave_run(run, "control", "hybrid", n=5, rounds=4)
    assert [row.segment for row in rows] == [segment for _, segment, _ in run.sample().parts()]
    whole = rows[0]
    assert (whole.segment, whole.metric, whole.control, whole.variant) == (ALL, "team-draft@5", "control", "hybrid")
    assert -1 <= whole.delta <= 1
    assert whole.wins + whole.ties + whole.losses == whole.units
    assert rows == interleave_run(run, "control", "hybrid", n=5, rounds=4)
    mirrored = interleave_run(run, "hybrid", "control", n=5, rounds=400)[0]
    assert mirrored.delta == pytest.approx(
        -interleave_run(run, "control", "hybrid", n=5, rounds=400)[0].delta, abs=0.05
    )


def test_an_arm_is_not_preferred_to_itself(run):
    row = interleave_run(run, "control", "control", method="balanced", n=5, target="tags")[0]
    assert (row.delta, row.verdict, row.wins, row.losses) == (0, "undecided", 0, 0)


def test_what_is_not_there_is_named(run):
    with pytest.raises(hybridrec.ConfigError, match="no pipeline 'hybird'; did you mean 'hybrid'"):
        interleave_run(run, "control", "hybird")


def test_a_target_that_was_not_asked_for_is_named(experiment):
    run = hybridrec.run(experiment(("targets: {items: 10, tags: 5}", "targets: {items: 10}"), (", tags/ndcg@5", "")))
    with pytest.raises(hybridrec.ConfigError, match="recommends no tags"):
        interleave_run(run, "control", "hybrid", target="tags")
