"""Commands around a user's data and a finished run: init, reduce, recommend, similar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli.running import STORE

if TYPE_CHECKING:
    from hybridrec.experiment.explaining import Explanation

TARGET = click.option("--target", type=click.Choice(["items", "tags"]), default="items", show_default=True)
RUN = click.argument("run", type=click.Path(path_type=Path))


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("experiment.yaml"), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def init(files: tuple[Path, ...], output: Path, force: bool) -> None:
    """Profile your own data FILES and write a working config for them, with a JSON Schema for your editor.

    FILES may be a folder. A published data set (MovieLens, Melon, ...) gets the reader that is made for it.
    """
    import json

    from hybridrec.errors import ConfigError
    from hybridrec.experiment.json_schema import experiment_schema
    from hybridrec.experiment.starting import SCHEMA, starting_config
    from hybridrec.paths import write_whole
    from hybridrec.registry.discovery import Registry

    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    registry = Registry()
    description, config = starting_config(files, output.resolve().parent, registry)
    for line in description:
        print(line)
    write_whole(output, config)
    schema = output.parent / SCHEMA
    schema.parent.mkdir(exist_ok=True)
    write_whole(schema, json.dumps(experiment_schema(registry), indent=1, ensure_ascii=False))
    print(f"wrote {output}; try: hybridrec run {output}")


@click.command()
@click.argument("array", metavar="FILE.npy", type=click.Path(path_type=Path))
@click.option("--dims", default=64, show_default=True, type=click.IntRange(min=1), help="Numbers in each vector.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("vectors.npy"), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def reduce(array: Path, dims: int, output: Path, force: bool) -> None:
    """Make short vectors of spectrograms or embeddings, FILE.npy with a row for each item, by PCA.

    The file may be larger than memory. The result is what `item_vectors` of the `table` reader takes.
    """
    import numpy as np

    from hybridrec.data.dense import Rows, pca
    from hybridrec.errors import ConfigError
    from hybridrec.paths import replacing

    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    rows = Rows.of(array)
    reduced = pca(rows, dims, np.random.default_rng(0))
    with replacing(output) as file:
        np.save(file, reduced.vectors)
    print(
        f"wrote {output}: {dims} numbers in place of {rows.dims} for each of {len(rows)} items, "
        f"with {reduced.explained:.1%} of the variance"
    )


@click.command()
@RUN
@click.option("--user", help="A known user; without anything else, their own history is used.")
@click.option("--item", "items", multiple=True, help="An item of the history, by id or loosely by name.")
@click.option("--tag", "tags", multiple=True, help="A tag, by id or loosely by name.")
@click.option("--text", default="", help="A title in free words.")
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    help="A CSV file `item,rating` of a person's ratings, from 0 (a dislike); items as for --item.",
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--pipeline", help="Which pipeline of the run (default: the last one).")
@click.option("--explain", is_flag=True, help="Show sources, ranks, contributions and moves of each recommendation.")
@TARGET
@STORE
def recommend(
    run: Path,
    user: str | None,
    items: tuple[str, ...],
    tags: tuple[str, ...],
    text: str,
    ratings: Path | None,
    n: int,
    pipeline: str | None,
    explain: bool,
    target: str,
    store_folder: Path,
) -> None:
    """Recommend from a finished RUN (made with `refit: all`) for a user, items, tags, free text or ratings."""
    from hybridrec.cli.printing import table
    from hybridrec.data.queries import Query
    from hybridrec.experiment.neighbours import find
    from hybridrec.experiment.ratings import read_ratings
    from hybridrec.experiment.serving import load

    recommender = load(run, store=store_folder)
    rated = [] if ratings is None else read_ratings(ratings, recommender.data)
    found_items = [find(item, recommender.data, "items") for item in items]
    found_tags = [find(tag, recommender.data, "tags") for tag in tags]
    typed_and_found = zip((*items, *tags), (*found_items, *found_tags), strict=True)
    for typed, found in (*typed_and_found, *((one.typed, one.found) for one in rated)):
        if typed not in (found.id, found.name):
            print(f"'{typed}' is taken for '{found.name}' ({found.id})")
    liked = [one for one in rated if one.rating]
    query = Query(
        user=user,
        items=[found.id for found in found_items] + [one.found.id for one in liked],
        tags=[found.id for found in found_tags],
        text=text,
        item_weights=[1.0] * len(found_items) + [one.rating for one in liked] if rated else None,
        disliked=[one.found.id for one in rated if not one.rating],
    )
    if user is not None and user not in recommender.data.users:
        print(f"user '{user}' is unknown; recommending from the rest of the query")
    slate = recommender.explain(query, n, pipeline=pipeline, target=target)  # type: ignore[arg-type]
    headers = ["rank", "name", "id", "score", "rung"]
    rows = [[str(e.rank), e.name, e.id, "" if e.score is None else f"{e.score:.4f}", e.rung] for e in slate]
    if explain:
        headers += ["proposed by", "opinions: rank (value)", "contributions", "moved by: from > to"]
        rows = [[*row, *_reasons(place)] for row, place in zip(rows, slate, strict=True)]
    table(f"Recommended {target}", headers, rows)


def _reasons(place: Explanation) -> tuple[str, str, str, str]:
    """Who proposed it, what the models say of it, what that adds to its score, and which rules moved it."""
    opinions = ", ".join(f"{label} {rank} ({value:.3g})" for label, (value, rank) in place.opinions.items())
    parts = ", ".join(f"{label} {value:+.3f}" for label, value in place.contributions.items())
    moves = ", ".join(f"{move.rule} {move.before or '-'} > {move.after or '-'}" for move in place.moves)
    return ", ".join(place.sources), opinions, parts, moves


@click.command()
@RUN
@click.argument("name")
@click.option("--component", required=True, help="Label of the component whose space is searched.")
@click.option(
    "--by", type=click.Choice(["item", "tag", "text"]), default="item", show_default=True, help="What NAME is."
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--target", type=click.Choice(["items", "tags", "words"]), default="items", show_default=True)
@STORE
def similar(run: Path, name: str, component: str, by: str, n: int, target: str, store_folder: Path) -> None:
    """What lies near NAME (an item or tag, loosely typed, or words) in a component of a finished RUN."""
    from hybridrec.cli.printing import table
    from hybridrec.data.queries import Query
    from hybridrec.experiment.neighbours import find, similar
    from hybridrec.experiment.serving import load

    recommender = load(run, store=store_folder)
    if by == "text":
        title, query = name, Query(text=name)
    else:
        found = find(name, recommender.data, "items" if by == "item" else "tags")
        title = found.name
        if name not in (found.id, found.name):
            print(f"'{name}' is taken for '{found.name}' ({found.id})")
        query = Query(items=[found.id]) if by == "item" else Query(tags=[found.id])
    near = similar(recommender, component, query, target, n)  # type: ignore[arg-type]
    if not near:
        print(f"'{component}' has nothing to say about '{title}': it may not read {by}s")
        return
    rows = [[str(rank), one.name, one.id, f"{one.similarity:.4f}"] for rank, one in enumerate(near, 1)]
    table(f"Nearest {target} to '{title}' in {component}", ["rank", "name", "id", "similarity"], rows)
