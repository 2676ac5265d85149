"""The command `similar`."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli._options import BLOCK, PLUGIN, RUN_OR_BUNDLE


@click.command()
@RUN_OR_BUNDLE
@click.argument("name")
@click.option("--component", required=True, help="Label of the component whose space is searched.")
@click.option(
    "--by", type=click.Choice(["item", "tag", "text"]), default="item", show_default=True, help="Kind of NAME."
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="Number of neighbours.")
@click.option("--target", type=click.Choice(["items", "tags", "words"]), default="items", show_default=True)
@BLOCK
@PLUGIN
def similar(
    run_or_bundle: Path,
    name: str,
    component: str,
    by: str,
    n: int,
    target: str,
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """List the neighbours of NAME (an item or tag, loosely typed, or words) in a component of a RUN or a bundle."""
    from hybridrec.cli._console import table
    from hybridrec.data.queries import Query
    from hybridrec.serving.lookup import find
    from hybridrec.serving.recommender import load
    from hybridrec.serving.similar import similar

    recommender = load(run_or_bundle, block=block, plugins=plugins)
    if by == "text":
        title, query = name, Query(text=name)
    else:
        match = find(name, recommender.data, "items" if by == "item" else "tags")
        title = match.name
        if name not in (match.id, match.name):
            print(f"'{name}' is taken for '{match.name}' ({match.id})")
        query = Query(items=[match.id]) if by == "item" else Query(tags=[match.id])
    near = similar(recommender, component, query, target, n)  # type: ignore[arg-type]
    if not near:
        print(f"'{component}' has nothing to say about '{title}': it may not read {by}s")
        return
    rows = [
        [str(rank), neighbour.name, neighbour.id, f"{neighbour.similarity:.4f}"]
        for rank, neighbour in enumerate(near, 1)
    ]
    table(f"Nearest {target} to '{title}' in {component}", ["rank", "name", "id", "similarity"], rows)
