"""The command `report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--no-open", is_flag=True, help="Only print the path of the page.")
@click.option("--map", "label", metavar="LABEL", help="Add a map of the items by the vectors of this component.")
def report(run: Path, no_open: bool, label: str | None) -> None:
    """Write the page of a finished RUN, report.html, from its measurements, and open it.

    With --map the page shows the items in a plane, similar ones near one another (needs scikit-learn, the
    extra `map`, and a run made with `refit: all`).
    """
    from hybridrec.reporting.page import write
    from hybridrec.runs.run import Run

    finished = Run.open(run)
    if label is not None:
        from hybridrec.runs.item_map import draw_map

        draw_map(finished, label)
    page = write(finished)  # never the page of somebody else that came with the folder
    print(page)
    if not no_open:
        click.launch(str(page))
