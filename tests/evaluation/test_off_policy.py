"""Off-policy estimates against their formulas and a known truth, and logs that allow none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hybridrec.errors import DataError
from hybridrec.evaluation.bandit_log import BanditLog
from hybridrec.evaluation.off_policy import OffPolicyEstimate, off_policy_estimates, sentence, totals

LOGGING, TARGET = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
QUALITY = np.array([0.1, 0.3, 0.5])
TRUE, SHOWN = TARGET @ QUALITY, LOGGING @ QUALITY


def logged(seed=0, actions=6000, per_unit=3, model=1.0, target=TARGET) -> BanditLog:
    """A log whose policies do not look at who asks; the model is off by a factor."""
    source = np.random.default_rng(seed)
    drawn = source.choice(3, actions, p=LOGGING)
    return BanditLog(
        units=(np.arange(actions) // per_unit).astype(np.int32),
        reward=(source.random(actions) < QUALITY[drawn]).astype(float),
        propensity=LOGGING[drawn],
        target=target[drawn],
        predicted=model * QUALITY[drawn],
        expected=np.full(actions, model * target @ QUALITY),
    )


def estimated(log: BanditLog, clips=(), resamples=500) -> list[OffPolicyEstimate]:
    return off_policy_estimates(log, np.random.default_rng(1), clips, resamples)


def by_name(found: list[OffPolicyEstimate], clip: float | None = None) -> dict[str, OffPolicyEstimate]:
    return {row.estimator: row for row in found if row.clip == clip}


def test_the_formulas():
    log = logged(actions=999, model=0.7)
    w, r = log.weights, log.reward
    found = by_name(estimated(log, [2.0]))
    assert found["ips"].value == pytest.approx(np.mean(w * r))
    assert found["snips"].value == pytest.approx(np.sum(w * r) / np.sum(w))
    assert found["dr"].value == pytest.approx(np.mean(log.expected + w * (r - log.predicted)))
    assert found["snips"].lift == pytest.approx(found["snips"].value - r.mean())
    assert found["ips"].effective_size == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert (found["ips"].actions, found["ips"].units, found["ips"].clipped) == (999, 333, 0)


def test_clipping_cuts_the_weights():
    log = logged(actions=900)
    found = by_name(estimated(log, [2.0]), clip=2.0)
    w = np.minimum(log.weights, 2)
    assert found["ips"].value == pytest.approx(np.mean(w * log.reward))
    assert found["dr"].value == pytest.approx(np.mean(log.expected + w * (log.reward - log.predicted)))
    assert found["ips"].clipped == pytest.approx(np.mean(log.weights > 2))
    assert found["ips"].effective_size > 1.2 * by_name(estimated(log))["ips"].effective_size


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


def test_the_sentence_says_what_clipping_changes():
    rows = estimated(logged(), [0.2, 4.0])
    assert "better than the logging policy" in sentence(rows)
    assert "(dr " in sentence(rows)
    without = [replace(row, verdict="worse") if row.clip == 0.2 else row for row in rows if row.estimator != "dr"]
    assert sentence(without).endswith("clipping changes the verdict: worse at 0.2")
    assert sentence(estimated(logged())).endswith("actions")


def changed(**columns) -> BanditLog:
    log = logged(actions=3000)
    return replace(log, **{name: change(getattr(log, name).copy()) for name, change in columns.items()})


def at(row, value):
    def change(column):
        column[row] = value
        return column

    return change


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"propensity": np.ones_like}, "deterministic: all propensities are 1"),
        ({"propensity": at(7, 1.0)}, r"leaves the support of the log: row 8 \(and 0 more\)"),
        ({"target": np.zeros_like}, "all target propensities are 0"),
        ({"target": lambda t: 0.6 * t}, r"average 0\.\d+ ± .* where 1 is due: 4\d% of what the target policy shows"),
        ({"propensity": lambda p: 0.5 * p}, "more often than their propensities imply"),
        ({"propensity": at(2, 0.0)}, "row 3: the propensity is 0.0; right is above 0 and at most 1"),
        ({"target": at(2, 1.5)}, "row 3: the target propensity is 1.5; right is from 0 to 1"),
        ({"reward": at(4, np.nan)}, "row 5: the reward is nan; right is a number"),
        ({"reward": lambda r: r[1:]}, "'reward': 2999"),
        ({"expected": lambda _: None}, "both `predicted` and `expected`"),
    ],
)  # fmt: skip
def test_logs_that_allow_no_estimate_are_refused(columns, message):
    with pytest.raises(DataError, match=message):
        changed(**columns)


def test_an_empty_log_is_refused():
    with pytest.raises(DataError, match="empty"):
        BanditLog(np.zeros(0, np.int32), *[np.zeros(0)] * 3)


def frame(log: BanditLog) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "unit": [f"user {unit}" for unit in log.units],
            "reward": log.reward,
            "propensity": log.propensity,
            "target_propensity": log.target,
            "predicted": log.predicted,
            "expected": log.expected,
            "page": "home",
        }
    )


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_tables_are_read(tmp_path, name):
    log = logged(actions=600)
    written = frame(log)
    (written.write_csv if name.endswith("csv") else written.write_parquet)(tmp_path / name)
    read = BanditLog.read(tmp_path / name)
    np.testing.assert_allclose(read.weights, log.weights)
    np.testing.assert_allclose(totals(read).means, totals(log).means)
    assert len(np.unique(read.units)) == 200
    written.drop("predicted", "expected").write_parquet(tmp_path / "less.parquet")
    assert BanditLog.read(tmp_path / "less.parquet").predicted is None


def test_what_is_wrong_in_a_table_is_named(tmp_path):
    written = frame(logged(actions=600))
    written.drop("propensity").write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"no column 'propensity'; did you mean 'target_propensity'"):
        BanditLog.read(tmp_path / "log.parquet")
    written.with_columns(reward=pl.lit("much")).write_csv(tmp_path / "log.csv")
    with pytest.raises(DataError, match=r"log.csv, line 2.*reward") as told:
        BanditLog.read(tmp_path / "log.csv")
    assert "strict" not in str(told.value)  # a log is read whole or not at all
