"""`hybridrec compare`: compare the pipelines of finished runs with a pipeline of the first run."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import p_value, percent, say, signed


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--control", help="Pipeline of the first run the others are compared with (default: its last blend).")
@click.option("--metric", "metrics", multiple=True, help="Metrics to compare (default: all that the runs share).")
def compare(runs: tuple[Path, ...], control: str | None, metrics: tuple[str, ...]) -> None:
    """Compare finished RUNS, query by query: the first one is the control.

    Runs that did not answer the same queries over the same candidates are left out, with the reason.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.evaluation.compare import describe_comparison
    from hybridrec.runs.compare import compare_runs

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    compared = compare_runs(runs, control=control, metrics=metrics)
    rows = [[name, str(folder)] for name, folder in compared.names.items()]
    print_table("Runs, by what differs in their configs", ["name", "folder"], rows)
    print()
    print_table(
        "Comparison",
        ["control", "variant", "metric", "segment", "delta", "relative", "p (Holm)", "verdict"],
        [
            [
                r.control,
                r.variant,
                r.metric,
                r.segment,
                signed(r.delta),
                percent(r.relative),
                p_value(r.p_adjusted),
                r.verdict,
            ]
            for r in compared.rows
        ],
    )
    for row in compared.rows:
        if row.segment == "all":
            say(describe_comparison(row))
    for reason in compared.left_out:
        say(f"note: {reason}")
