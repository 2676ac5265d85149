"""Off-policy estimates against their formulas and a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.evaluation.bandit_log import BanditLog
from hybridrec.evaluation.off_policy import OffPolicyEstimate, off_policy_estimates, totals
from tests.evaluation.logs import LOGGING, SHOWN, TRUE, logged


def estimated(log: BanditLog, clips=(), resamples=500) -> list[OffPolicyEstimate]:
    return off_policy_estimates(log, np.random.default_rng(1), clips, resamples)


def by_name(estimates: list[OffPolicyEstimate], clip: float | None = None) -> dict[str, OffPolicyEstimate]:
    return {row.estimator: row for row in estimates if row.clip == clip}


def test_the_formulas():
    log = logged(actions=999, model=0.7)
    w, r = log.weights, log.reward
    estimates = by_name(estimated(log, [2.0]))
    assert estimates["ips"].value == pytest.approx(np.mean(w * r))
    assert estimates["snips"].value == pytest.approx(np.sum(w * r) / np.sum(w))
    assert estimates["dr"].value == pytest.approx(np.mean(log.expected + w * (r - log.predicted)))
    assert estimates["snips"].lift == pytest.approx(estimates["snips"].value - r.mean())
    assert estimates["ips"].effective_size == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert (estimates["ips"].actions, estimates["ips"].units, estimates["ips"].clipped) == (999, 333, 0)


def test_clipping_cuts_the_weights():
    log = logged(actions=900)
    clipped = by_name(estimated(log, [2.0]), clip=2.0)
    w = np.minimum(log.weights, 2)
    assert clipped["ips"].value == pytest.approx(np.mean(w * log.reward))
    assert clipped["dr"].value == pytest.approx(np.mean(log.expected + w * (log.reward - log.predicted)))
    assert clipped["ips"].clipped == pytest.approx(np.mean(log.weights > 2))
    assert clipped["ips"].effective_size > 1.2 * by_name(estimated(log))["ips"].effective_size


@pytest.mark.parametrize("model", [1.0, 0.5])
def test_the_truth_lies_in_the_interval_and_the_verdict_is_right(model):
    for row in estimated(logged(model=model), resamples=1000):
        assert row.ci95[0] < TRUE < row.ci95[1]
        assert row.lift_ci95[0] < TRUE - SHOWN < row.lift_ci95[1]
        assert row.verdict == "better"
        half = (row.ci95[1] - row.ci95[0]) / 2
        assert half == pytest.approx(1.96 * row.standard_error, rel=0.1)


def test_verdicts_the_other_way():
    worse = logged(target=np.array([0.95, 0.04, 0.01]))
    assert {row.verdict for row in estimated(worse)} == {"worse"}
    same = logged(target=LOGGING)
    assert {row.verdict for row in estimated(same)} == {"undecided"}
    assert {row.lift for row in estimated(replace(same, predicted=None, expected=None))} == {0.0}


def test_a_right_model_lowers_the_error_and_a_wrong_one_raises_it():
    errors = {model: by_name(estimated(logged(model=model)))["dr"].standard_error for model in (1.0, 3.0)}
    assert errors[1.0] < by_name(estimated(logged()))["ips"].standard_error
    assert errors[3.0] > errors[1.0]


def test_actions_of_a_unit_are_not_independent():
    once = logged(actions=300, per_unit=1)
    many = BanditLog(*(np.repeat(getattr(once, name), 5) for name in BanditLog.__dataclass_fields__))
    errors = [estimated(log, resamples=200)[1].standard_error for log in (once, many)]
    assert errors[0] == pytest.approx(errors[1])


def test_without_a_model_there_is_no_dr():
    assert totals(replace(logged(), predicted=None, expected=None)).sums.shape[1] == 2


def test_units_without_weight_still_count_for_the_lift():
    """Explored actions that the target never takes leave fewer units with a weight than the log has."""
    explored = np.arange(400) % 5 < 2
    propensity, reward = np.where(explored, 0.1, 0.6), (np.arange(400) % 7 < 4).astype(float)
    log = BanditLog(np.arange(400, dtype=np.int32), reward, propensity, np.where(explored, 0.0, 1.0))
    for row in estimated(log, resamples=500):
        assert row.lift_ci95[0] < row.lift < row.lift_ci95[1]
