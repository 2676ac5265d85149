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
    "--by", default="items", show_default=True, metavar="KIND", help="Kind of NAME: items, another kind, or text."
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="Number of neighbours.")
@click.option(
    "--target", default="items", show_default=True, metavar="KIND", help="Kind of the neighbours, or words (of titles)."
)
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
    """List the neighbours of NAME (an item or other entity, loosely typed, or words) in a component of a RUN."""
    from hybridrec.cli._console import print_table
    from hybridrec.data.queries import Query
    from hybridrec.serving.lookup import find
    from hybridrec.serving.recommender import load
    from hybridrec.serving.similar import similar

    recommender = load(run_or_bundle, block=block, plugins=plugins)
    if by == "text":
        title, query = name, Query(text=name)
    else:
        match = find(name, recommender.data, by)
        title = match.name
        if name not in (match.id, match.name):
            print(f"'{name}' is taken for '{match.name}' ({match.id})")
        query = Query(items=[match.id]) if by == "items" else Query(entities={by: [match.id]})
    near = similar(recommender, component, query, target, n)
    if not near:
        print(f"'{component}' has nothing to say about '{title}': it may not read {by}")
        return
    rows = [
        [str(rank), neighbour.name, neighbour.id, f"{neighbour.similarity:.4f}"]
        for rank, neighbour in enumerate(near, 1)
    ]
    print_table(f"Nearest {target} to '{title}' in {component}", ["rank", "name", "id", "similarity"], rows)
