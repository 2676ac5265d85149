"""`hybridrec check`: check a config, read its data, and print the fits that a run would do."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._console import megabytes, say
from hybridrec.cli._options import FitOptions, fit_options


@click.command()
@fit_options
def check(
    config: Path,
    assignments: tuple[str, ...],
    options: FitOptions,
) -> None:
    """Check a config, read its data, and print the fits that a run would do; nothing is fitted."""
    from hybridrec.api import plan
    from hybridrec.cli._console import about, print_table

    fits = plan(config, assignments, **options)
    data = fits.data
    entities = "".join(f"{count} {kind}, " for kind, count in data.entities.items())
    say(
        f"{config} is valid. Data: {data.users} users, {data.items} items, {entities}"
        f"{data.interactions} interactions; {fits.folds} fold{'s'[: fits.folds != 1]}, {fits.queries} queries."
    )
    if fits.stacking_queries:
        say(
            f"Re-rankers learn from {fits.stacking_queries} validation queries, which the fits of the level "
            "out_of_fold below do not see."
        )
    rows = [
        [job.label, job.component, job.level, str(job.fits), str(job.stored), megabytes(job.memory), about(job.seconds)]
        for job in fits.jobs
    ]
    heads = ["label", "component", "level", "fits", "in the store", "memory of one fit", "time of one fit"]
    print_table("Fit plan", heads, rows)
    missing = sum(job.fits - job.stored for job in fits.jobs)
    if missing:
        unknown = f", {fits.without_estimate} of them without an estimate" if fits.without_estimate else ""
        time = about(fits.seconds) if fits.seconds < 1 else f"about {about(fits.seconds)}"
        say(
            f"{missing} {'fit is' if missing == 1 else 'fits are'} not in the store{unknown}: {time} one after the "
            "other, and queries and comparisons beside."
        )
    for note in fits.notes:
        say(f"note: {note}")
    for warning in fits.warnings:
        say(f"warning: {warning}")
