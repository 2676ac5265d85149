"""`hybridrec similar`: list the nearest neighbours of an entity in the space of a component."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli._console import say
from hybridrec.cli._options import BLOCK, HELD_OUT_QUERY, PLUGIN, RUN_OR_BUNDLE

if TYPE_CHECKING:
    from hybridrec.data.queries import Query
    from hybridrec.serving.recommender import Recommender

HELD_OUT = "held-out"
"""The value of `--by` for a test query of the run, named by its user; only the query's visible part is used."""


@click.command()
@RUN_OR_BUNDLE
@click.argument("name")
@click.option("--component", required=True, help="Label of the component whose space is searched.")
@click.option(
    "--by",
    default="items",
    show_default=True,
    metavar="KIND",
    help="Kind of NAME: items, users, another kind, features (of items), words, text, or held-out (a list of the test "
    "part, by its id).",
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="Number of neighbours.")
@click.option(
    "--target",
    default="items",
    show_default=True,
    metavar="KIND",
    help="Kind of the neighbours: items, users, another kind, features (of items), or words (of titles).",
)
@HELD_OUT_QUERY
@BLOCK
@PLUGIN
def similar(
    run_or_bundle: Path,
    name: str,
    component: str,
    by: str,
    n: int,
    target: str,
    number: int,
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """List the neighbours of NAME (an entity by its id or loosely by its title, or words) in a component of a RUN.

    Each neighbour is shown with its count, the number of training users who have it (for a user, the number of items),
    and its position by this count among all entities of its kind.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.serving.recommender import load
    from hybridrec.serving.similar import TEXT
    from hybridrec.stages.component import VectorModel
    from hybridrec.types import USERS

    recommender = load(run_or_bundle, block=block, plugins=plugins)
    title, asked = _asked(recommender, run_or_bundle, name, by, component, number)
    near = recommender.similar(component, asked, by=by, target=target, n=n)
    if not near:
        if not recommender.components[component].reads({TEXT: "title", USERS: "user"}.get(by, by)):
            reason = f"it may not read {by}"
        elif by == TEXT:
            reason = f"none of these words is known to '{component}'"
        else:
            reason = "it learned nothing about it"
        say(f"'{component}' has nothing to say about '{title}': {reason}")
        return
    measure = "similarity" if isinstance(recommender.components[component], VectorModel) else "score"
    rows = [
        [str(rank), place.name, place.id, f"{place.similarity:.4f}", _text(place.count), _text(place.position)]
        for rank, place in enumerate(near, 1)
    ]
    headers = ["rank", "name", "id", measure, "count", "position"]
    print_table(f"Nearest {target} to '{title}' in {component}", headers, rows)


def _asked(
    recommender: Recommender, run: Path, name: str, by: str, component: str, number: int
) -> tuple[str, str | Query]:
    """Return (title, asked): the name for the title of the table, and the argument `asked` of `Recommender.similar`.

    `asked` is an id, words, or the test query of a list.
    """
    from hybridrec.cli._console import held_out_query
    from hybridrec.serving.lookup import find, find_among
    from hybridrec.serving.similar import FEATURES, TEXT, WORDS
    from hybridrec.stages.component import VectorModel

    if by == HELD_OUT:
        return name, held_out_query(run, name, number).query
    if by == TEXT:
        return name, name
    model = recommender.components.get(component)
    if by in (WORDS, FEATURES):
        embeddings = model.embeddings(recommender.data) if isinstance(model, VectorModel) else {}
        if by not in embeddings:
            return name, name  # is refused with what there is
        vocabulary = embeddings[by].vocabulary
        titles = vocabulary.packed if by == FEATURES else ()  # "genre:GN0101 ballad" has a code and a name
        match = find_among(name, vocabulary, by, titles)
    else:
        others = ", ".join(f"--by {kind}" for kind, of in recommender.data.entities.items() if kind != by and len(of))
        match = find(name, recommender.data, by, f"; or is it one of another kind: {others}?")
    if name not in (match.id, match.name):
        say(f"'{name}' is taken for '{match.name}'" + (f" ({match.id})" if match.id != match.name else ""))
    return match.name, match.id


def _text(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
