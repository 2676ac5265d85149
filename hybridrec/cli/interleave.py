"""The command `interleave`."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import interval, number
from hybridrec.cli._options import SEED, TARGET


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("control")
@click.argument("variant")
@click.option("--method", type=click.Choice(["team-draft", "balanced"]), default="team-draft", show_default=True)
@click.option("-n", default=20, show_default=True, type=click.IntRange(min=1), help="Length of the interleaved slates.")
@click.option(
    "--rounds", default=10, show_default=True, type=click.IntRange(min=1), help="Interleavings averaged per query."
)
@SEED
@TARGET
def interleave(run: Path, control: str, variant: str, method: str, n: int, rounds: int, seed: int, target: str) -> None:
    """Interleave the slates of two pipelines of a finished RUN and count whose items are in the held-out truth.

    Of every query's interleaved slate, the relevant places count as chosen; the pipeline with more of them
    wins it. The table gives the share of interleavings that VARIANT won more than CONTROL, with interval and
    test; users are the unit. Several interleavings of each query are averaged, which only lowers the noise.
    """
    from hybridrec.cli._console import table
    from hybridrec.evaluation.compare import sentence
    from hybridrec.runs.replay import interleave_run
    from hybridrec.runs.run import Run

    rows = interleave_run(
        Run.open(run),
        control,
        variant,
        method=method,  # type: ignore[arg-type]
        n=n,
        target=target,
        rounds=rounds,
        seed=seed,
    )
    table(
        f"{variant} against {control}, {rounds} interleavings of each query",
        ["segment", "users", "more won", "95 % interval", "p (Holm)", "verdict"],
        [
            [
                row.segment,
                str(row.units),
                number(row.delta),
                interval(row.ci95),
                number(row.p_adjusted, ".4f"),
                row.verdict,
            ]
            for row in rows
        ],
    )
    print(sentence(rows[0]))
