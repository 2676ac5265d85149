"""`hybridrec map`: draw the items of a run in a plane by the vectors of a component."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec import Run
from hybridrec_vectors.item_map import Colouring, draw_map


@click.command("map")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("label")
@click.option("--clusters", metavar="LABEL", help="Colour by the clusters of this component (k-means of the vectors).")
@click.option("--drawn", type=click.IntRange(min=1), metavar="N", help="Colour N clusters alone, drawn at random.")
@click.option("--tag", "tags", multiple=True, metavar="NAME", help="Colour the items with this tag; may be repeated.")
@click.option("--by", default="tags", show_default=True, metavar="KIND", help="Kind of the names of --tag.")
@click.option(
    "--item", "items", multiple=True, metavar="NAME", help="Show the vector of this item above its nearest five."
)
def map_items(
    run: Path,
    label: str,
    clusters: str | None,
    drawn: int | None,
    tags: tuple[str, ...],
    by: str,
    items: tuple[str, ...],
) -> None:
    """Draw the items of a finished RUN in a plane, similar ones near one another, by the vectors of component LABEL.

    From then on the page of the run has the map: `hybridrec report RUN`. All items with a vector are drawn, or
    the 100,000 that most queries contain, if there are more. If a map is drawn again in other colours, its points stay
    where they are. The command needs scikit-learn (the extra `map`), and a run made with `refit: all`.
    """
    if tags and (clusters is not None or drawn is not None):
        raise click.UsageError("--tag colours by tags, --clusters and --drawn by clusters: choose one")
    print(draw_map(Run.open(run), label, Colouring(clusters, drawn, tags, by), items))
