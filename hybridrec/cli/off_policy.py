"""The command `off-policy`."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import interval
from hybridrec.cli._options import SEED


@click.command("off-policy")
@click.argument("log", type=click.Path(path_type=Path))
@click.option(
    "--clip",
    "clips",
    multiple=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Also clip the importance weights at this value (default: 5, 10, 20, 50, 100).",
)
@SEED
def off_policy(log: Path, clips: tuple[float, ...], seed: int) -> None:
    """Estimate from a LOG of another policy the reward that a target policy would have earned.

    LOG is a table (Parquet, CSV, TSV or JSON Lines) with one row per action that was shown and the columns
    unit (the user), reward, propensity (the probability with which the logging policy showed it) and
    target_propensity (that of the target policy); with predicted (a model's reward of the action) and
    expected (the model's mean reward under the target policy) the doubly robust estimate is computed, too.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.engine.seeds import label_rng
    from hybridrec.evaluation.bandit_log import BanditLog
    from hybridrec.evaluation.off_policy import CLIPS, off_policy_estimates, sentence

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
    print(sentence(rows))
