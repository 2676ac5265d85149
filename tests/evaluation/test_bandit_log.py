"""Logs of a policy are read from tables, and refused where nothing can be estimated from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hybridrec.errors import DataError
from hybridrec.evaluation.bandit_log import BanditLog
from hybridrec.evaluation.off_policy import totals
from tests.evaluation.logs import logged


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
