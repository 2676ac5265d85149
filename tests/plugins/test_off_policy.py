"""The command `off-policy`: every estimate, and a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec import off_policy_estimates
from hybridrec.cli import hybridrec as group
from hybridrec.testing import CommandContract
from hybridrec_offline.off_policy import describe_estimates, off_policy
from tests.evaluation.logs import logged


class TestOffPolicy(CommandContract):
    command = off_policy


def call(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def log(tmp_path):
    source = np.random.default_rng(0)
    coin = source.random(1000) < 0.3
    frame = pl.DataFrame(
        {
            "unit": np.arange(1000) // 2,
            "reward": np.where(coin, 0.8, 0.2) + source.normal(0, 0.1, 1000),
            "propensity": np.where(coin, 0.3, 0.7),
            "target_propensity": np.where(coin, 0.6, 0.4),
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def test_off_policy_prints_every_estimate_and_a_sentence(log):
    printed = call("off-policy", log, "--clip", 1.5)
    assert "1,000 actions seen by 500 units" in printed
    assert [line.split()[0] for line in printed.splitlines()[2:6]] == ["ips", "snips", "ips", "snips"]
    assert "better than the logging policy" in printed.splitlines()[-1]
    assert len(call("off-policy", log).splitlines()) == 15


def test_a_deterministic_log_is_refused(log):
    pl.read_parquet(log).with_columns(propensity=pl.lit(1.0)).write_parquet(log)
    with pytest.raises(hybridrec.DataError, match="deterministic"):
        call("off-policy", log)


def estimated(log, clips=()):
    return off_policy_estimates(log, np.random.default_rng(1), clips, 500)


def test_the_sentence_says_what_clipping_changes():
    rows = estimated(logged(), [0.2, 4.0])
    assert "better than the logging policy" in describe_estimates(rows)
    assert "(dr " in describe_estimates(rows)
    without = [replace(row, verdict="worse") if row.clip == 0.2 else row for row in rows if row.estimator != "dr"]
    assert describe_estimates(without).endswith("clipping changes the verdict: worse at 0.2")
    assert describe_estimates(estimated(logged())).endswith("actions")
