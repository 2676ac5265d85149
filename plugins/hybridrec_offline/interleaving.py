"""`hybridrec interleave`: compare two pipelines by the relevant items in their interleaved slates."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hybridrec import Run, describe_comparison, interleave_run, print_table
from hybridrec_offline.cells import interval


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("control")
@click.argument("variant")
@click.option(
    "--method",
    type=click.Choice(["team-draft", "balanced"]),
    default="team-draft",
    show_default=True,
    help="How slates are merged: a draft in rounds, or place by place.",
)
@click.option("-n", default=20, show_default=True, type=click.IntRange(min=1), help="Length of the interleaved slates.")
@click.option(
    "--rounds", default=10, show_default=True, type=click.IntRange(min=1), help="Interleavings averaged per query."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the random draws and the resamples.")
@click.option(
    "--target", default="items", show_default=True, metavar="KIND", help="Recommend items, or entities of another kind."
)
def interleave(
    run: Path,
    control: str,
    variant: str,
    method: Literal["team-draft", "balanced"],
    n: int,
    rounds: int,
    seed: int,
    target: str,
) -> None:
    """Interleave the slates of two pipelines of a finished RUN and count whose items are in the held-out truth.

    In an interleaved slate, the places with relevant items count as chosen; the pipeline that contributed
    more of them wins the slate. The table gives the share of slates that VARIANT won minus the share that
    CONTROL won, with interval and test; users are the unit. Several interleavings of each query are averaged,
    which only lowers the noise.
    """
    rows = interleave_run(Run.open(run), control, variant, method=method, n=n, target=target, rounds=rounds, seed=seed)
    print_table(
        f"{variant} against {control}, {rounds} interleavings of each query",
        ["segment", "users", "more won", "95 % interval", "p (Holm)", "verdict"],
        [
            [
                row.segment,
                str(row.units),
                "" if row.delta is None else f"{row.delta:+.4f}",
                interval(row.ci95),
                "" if row.p_adjusted is None else f"{row.p_adjusted:.4f}",
                row.verdict,
            ]
            for row in rows
        ],
    )
    print(describe_comparison(rows[0]))
