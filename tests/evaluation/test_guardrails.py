"""Guardrails tell planted losses: held, broken or undecided, and their bounds keep their promise."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec.evaluation.beyond_accuracy import Coverage
from hybridrec.evaluation.guardrails import Change, groups_of, guardrails, reason, verdict
from hybridrec.evaluation.metrics import EvalBatch, MetricAtK
from hybridrec.evaluation.report import Guardrail
from hybridrec.evaluation.samples import EvaluatedArm, Sample

UNITS = 400
SAMPLE = Sample(np.repeat(np.arange(UNITS, dtype=np.int32), 2), np.ones(2 * UNITS), np.full(2 * UNITS, "items"), "x")


def arm(name, loss=0.0, spread=0.02):
    hard = np.random.default_rng(1).uniform(0.4, 0.6, len(SAMPLE))
    noise = np.random.default_rng(sum(name.encode())).normal(0, spread, len(SAMPLE))
    return EvaluatedArm(name, SAMPLE, {"diversity@20": hard * (1 - loss) + noise})


def held(*arms, margins, **more):
    pairs = [(arms[0].name, other.name) for other in arms[1:]]
    return guardrails({a.name: a for a in arms}, pairs, margins, np.random.default_rng(0), resamples=2000, **more)


@pytest.mark.parametrize(
    ("loss", "spread", "expected"),
    [(0.0, 0.02, "held"), (0.1, 0.02, "broken"), (0.05, 0.02, "undecided"), (0.2, 0.9, "undecided")],
)
def test_a_planted_loss_of_a_metric_per_query(loss, spread, expected):
    (guardrail,) = held(arm("c"), arm("v", loss, spread), margins={"diversity@20": 0.05})
    assert guardrail.verdict == expected
    low, high = guardrail.bounds
    assert low < guardrail.loss < high
    if spread < 0.1:
        assert guardrail.loss == pytest.approx(loss, abs=0.01)
        assert high - low < 0.02


def test_of_lower_is_better_metrics_more_is_lost():
    (guardrail,) = held(arm("c"), arm("v", -0.1), margins={"diversity@20": 0.05}, lower_is_better={"diversity@20"})
    assert guardrail.verdict == "broken"
    assert guardrail.loss == pytest.approx(0.1, abs=0.01)


def test_slower_is_a_loss():
    rng = np.random.default_rng(3)
    base = rng.uniform(0.001, 0.002, 24)  # blocks differ more from one another than the arms do
    seconds = {
        name: base * factor * rng.uniform(0.98, 1.02, 24) for name, factor in [("c", 1), ("slow", 1.5), ("v", 1)]
    }
    slow, same = held(arm("c"), arm("slow"), arm("v"), margins={"latency": 0.2}, seconds=seconds)
    assert (slow.verdict, same.verdict) == ("broken", "held")
    assert slow.loss == pytest.approx(0.5, abs=0.03)


def covering(ids, units, groups):
    """An arm that shows these items, int32 [Q, n], of 200."""
    nothing = np.zeros(ids.shape, bool)
    truth = np.zeros((len(ids), 200))
    eval_batch = EvalBatch("items", ids, nothing, truth, None)
    measure = MetricAtK(Coverage(), 5)
    sample = Sample(units, np.ones(len(units)), np.full(len(units), "items"))
    without = {"coverage@5": measure.without_each([eval_batch], groups)}
    return EvaluatedArm("any", sample, {}, {"coverage@5": measure.value([eval_batch])}, None, without)


def drawn(rng, width, units):
    """Slates of five items, the lower ones more often."""
    popularity = 1 / (1 + np.arange(width)) ** 0.8
    return rng.choice(width, (len(units), 5), p=popularity / popularity.sum()).astype(np.int32)


def test_coverage_without_a_group_is_that_of_the_others():
    units = np.repeat(np.arange(100, dtype=np.int32), 2)
    rng = np.random.default_rng(5)
    ids, groups = drawn(rng, 200, units), groups_of(units, rng)
    assert len(np.unique(groups)) == 40
    assert all(len(np.unique(groups[units == unit])) == 1 for unit in range(100))
    coverage = covering(ids, units, groups)
    expected = [len(np.unique(ids[groups != group])) / 200 for group in range(40)]
    np.testing.assert_allclose(coverage.without_group["coverage@5"], expected)


def test_bounds_of_coverage_hold_the_true_loss_as_often_as_they_say():
    """The truth is the mean over very many runs of as many users: resampling users would be off by far."""
    rng = np.random.default_rng(6)
    units = np.arange(300, dtype=np.int32)
    groups = groups_of(units, rng)

    def pair_of_arms():
        shown = [drawn(rng, width, units) for width in (200, 150)]
        return [covering(ids, units, groups) for ids in shown]

    trials = [pair_of_arms() for _ in range(300)]
    means = np.array([[a.set_values["coverage@5"] for a in pair] for pair in trials]).mean(axis=0)
    truth = 1 - means[1] / means[0]
    assert truth > 0.1
    judged = [guardrails({"c": c, "v": v}, [("c", "v")], {"coverage@5": 0.05}, rng)[0] for c, v in trials]
    below = np.mean([rail.bounds[0] < truth for rail in judged])
    above = np.mean([rail.bounds[1] > truth for rail in judged])
    assert min(below, above) >= 0.93
    assert np.mean([rail.verdict == "broken" for rail in judged]) > 0.9


def test_what_has_no_interval_is_undecided():
    control, variant = (EvaluatedArm(n, SAMPLE, {}, {"coverage@5": v}, None, {"coverage@5": np.full(40, v)}) for n, v in
                        (("c", 0.5), ("v", 0.0)))  # fmt: skip
    (guardrail,) = held(control, variant, margins={"coverage@5": 0.1})
    assert (guardrail.verdict, guardrail.loss, guardrail.bounds) == ("undecided", 1.0, None)
    assert reason(guardrail) == "no interval; 10 % is accepted"
    assert verdict(Change(0.2, np.nan, np.nan), 0.1) == "undecided"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("held", "loss 1.0 %, a loss of at most 3.0 %; 5 % is accepted"),
        ("broken", "loss 1.0 %, at least -2.0 %; 5 % is accepted"),
        ("undecided", "loss 1.0 %, a loss between -2.0 % and 3.0 %; 5 % is accepted"),
    ],
)
def test_the_reason_names_the_bound_that_decides(said, expected):
    rail = Guardrail(control="c", variant="v", metric="m", margin=0.05, loss=0.01, bounds=(-0.02, 0.03), verdict=said)
    assert reason(rail) == expected


def test_a_gain_is_called_one():
    rail = Guardrail(control="c", variant="v", metric="m", margin=0.05, loss=-0.4, bounds=(-0.5, -0.3), verdict="held")
    assert reason(rail) == "gain 40.0 %, surely no loss; 5 % is accepted"
