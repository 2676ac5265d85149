"""`hybridrec overlap`: compare the slates of pipelines, to see before blending them which show the same items."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from hybridrec import ConfigError, Run, print_table


@click.command("overlap")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--at", type=click.IntRange(min=1), default=10, show_default=True, help="First places that are compared.")
def overlap(run: Path, at: int) -> None:
    """Print the share of the first places of a finished RUN that each two of its pipelines have in common."""
    finished = Run.open(run)
    names = list(finished.report.pipelines)
    if len(names) < 2:
        raise ConfigError(f"{run}: has the pipeline {names[0]} alone; overlap compares two or more")
    shown = {name: finished.slates(name).filter(pl.col("rank") <= at).select("query", "id") for name in names}
    rows = [[name, *(f"{_share(shown[name], shown[other]):.3f}" for other in names)] for name in names]
    print_table(f"share of the first {at} places of the row that the column shows, too", ["pipeline", *names], rows)


def _share(slates: pl.DataFrame, others: pl.DataFrame) -> float:
    """Return the share of the rows of `slates` whose id `others` has for the same query; 0 if `slates` has no rows."""
    return slates.join(others, on=["query", "id"], how="semi").height / max(slates.height, 1)
