"""`hybridrec refresh`: update a finished run with new data."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN, SET, STORE


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@SET
@STORE
@BLOCK
@PLUGIN
def refresh(
    run: Path,
    assignments: tuple[str, ...],
    store_folder: Path | str,
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Update a finished RUN (made with `refit: all`) so that it recommends from its data as it is now.

    Components that can be updated with the new data are updated, the others are fitted again; learned blends stay as
    they are. --set may name other data, as in `--set data.interactions.path=new.csv`, and nothing else. The report is
    not changed.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.serving.refresh import refresh as take_up

    updated = take_up(run, assignments, store=store_folder, block=block, plugins=plugins)
    if not updated:
        print("the data did not change: nothing to do")
        return
    rows = [[component.label, component.component, component.how, f"{component.seconds:.2f}"] for component in updated]
    print_table("Refreshed", ["label", "component", "how", "seconds"], rows)
