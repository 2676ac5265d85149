"""`hybridrec report`: write the page of a finished run and open it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-open", is_flag=True, help="Only print the path of the page.")
def report(run: Path, no_open: bool) -> None:
    """Write the page of a finished RUN, report.html, from its measurements, and open it.

    It shows the maps of items that `hybridrec map` added to the run.
    """
    from hybridrec.reporting.page import write
    from hybridrec.runs.run import Run

    page = write(Run.open(run))  # never the page of somebody else that came with the folder
    print(page)
    if not no_open:
        click.launch(str(page))
