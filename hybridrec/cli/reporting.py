"""Commands around finished runs: report."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-open", is_flag=True, help="Only print the path of the page.")
@click.option("--force", is_flag=True, help="Write the page anew even if it is there.")
def report(run: Path, no_open: bool, force: bool) -> None:
    """Open the page of a finished RUN, report.html; it is written if it is not there yet."""
    from hybridrec.experiment.folder import Run
    from hybridrec.reporting.page import PAGE, write

    finished = Run.open(run)
    page = finished.folder / PAGE
    if force or not page.exists():
        write(finished)
    print(page)
    if not no_open:
        click.launch(str(page))
