"""The command `map`."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec import Run
from hybridrec_vectors.item_map import draw_map


@click.command("map")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("label")
def map_items(run: Path, label: str) -> None:
    """Draw the items of a finished RUN in a plane, similar ones near one another, by the vectors of component LABEL.

    Its page shows the map from then on: `hybridrec report RUN`. Needs scikit-learn, the extra `map`, and a run made
    with `refit: all`.
    """
    print(draw_map(Run.open(run), label))
