"""`hybridrec check`: check a config, read its data, and print the fits that a run would do."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import megabytes
from hybridrec.cli._options import BLOCK, CONFIG, PLUGIN, SET, STORE


@click.command()
@CONFIG
@SET
@STORE
@BLOCK
@PLUGIN
def check(
    config: Path, assignments: tuple[str, ...], store_folder: Path, block: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Check a config, read its data, and print the fits that a run would do; nothing is fitted."""
    from hybridrec.api import plan
    from hybridrec.cli._console import print_table

    fits = plan(config, assignments, store=store_folder, block=block, plugins=plugins)
    data = fits.data
    entities = "".join(f"{count} {kind}, " for kind, count in data.entities.items())
    print(
        f"{config} is valid. Data: {data.users} users, {data.items} items, {entities}"
        f"{data.interactions} interactions; {fits.folds} fold{'s'[: fits.folds != 1]}, {fits.queries} queries."
    )
    if fits.stacking_queries:
        print(
            f"Re-rankers learn from {fits.stacking_queries} validation queries, which the fits of the level "
            "out_of_fold below do not see."
        )
    rows = [
        [job.label, job.component, job.level, str(job.fits), str(job.stored), megabytes(job.memory)]
        for job in fits.jobs
    ]
    print_table("Fit plan", ["label", "component", "level", "fits", "in the store", "memory of one fit"], rows)
    for note in fits.notes:
        print(f"note: {note}")
