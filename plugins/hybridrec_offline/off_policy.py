"""`hybridrec off-policy`: estimate the reward of a target policy from the log of another policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hybridrec import BanditLog, OffPolicyEstimate, label_rng, off_policy_estimates, print_table
from hybridrec_offline.cells import interval

CLIPS = (5.0, 10.0, 20.0, 50.0, 100.0)
"""Levels at which importance weights are clipped by default."""


@click.command("off-policy")
@click.argument("log", type=click.Path(path_type=Path))
@click.option(
    "--clip",
    "clips",
    multiple=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Also clip the importance weights at this value (default: 5, 10, 20, 50, 100).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the random draws and the resamples.")
def off_policy(log: Path, clips: tuple[float, ...], seed: int) -> None:
    """Estimate from a LOG of another policy the reward that a target policy would have earned.

    LOG is a table (Parquet, CSV, TSV or JSON Lines) with one row per action that was shown and the columns
    unit (the user), reward, propensity (the probability with which the logging policy showed it) and
    target_propensity (that of the target policy); with predicted (a model's reward of the action) and
    expected (the model's mean reward under the target policy) the doubly robust estimate is computed, too.
    """
    rows = off_policy_estimates(BanditLog.read(log), label_rng(seed, "off-policy"), clips or CLIPS)
    print_table(
        f"The target policy, from {rows[0].actions:,} actions seen by {rows[0].units:,} units",
        ["estimator", "clipped at", "reward", "95 % interval", "difference", "95 % interval", "effective", "clipped"],
        [
            [
                row.estimator,
                "" if row.clip is None else f"{row.clip:g}",
                f"{row.value:.4f}",
                interval(row.ci95, ".4f"),
                f"{row.lift:+.4f}",
                interval(row.lift_ci95),
                f"{row.effective_size:.0f}",
                f"{100 * row.clipped:.1f} %",
            ]
            for row in rows
        ],
    )
    print(describe_estimates(rows))


def describe_estimates(rows: Sequence[OffPolicyEstimate]) -> str:
    """Summarize all estimates of a log in a sentence.

    The verdict is that of the doubly robust estimate `dr`, or without it that of the estimate `snips`.

    For example: "the target policy is better than the logging policy: +0.0120 (dr 0.1520, 95 % interval of the
    difference +0.0041 ... +0.0199); effective sample size 1,203 of 5,000 actions; no clipping changes the verdict".
    """
    chosen = rows[-1].estimator if rows[-1].estimator == "dr" else "snips"
    whole, *clipped = [row for row in rows if row.estimator == chosen]
    low, high = whole.lift_ci95
    outcome = f"{whole.verdict} than" if whole.verdict != "undecided" else "undecided against"
    others = [f"{row.verdict} at {row.clip:g}" for row in clipped if row.verdict != whole.verdict]
    held = f"clipping changes the verdict: {', '.join(others)}" if others else "no clipping changes the verdict"
    return (
        f"the target policy is {outcome} the logging policy: {whole.lift:+.4f} ({chosen} {whole.value:.4f}, "
        f"95 % interval of the difference {low:+.4f} ... {high:+.4f}); effective sample size "
        f"{whole.effective_size:,.0f} of {whole.actions:,} actions" + (f"; {held}" if clipped else "")
    )
