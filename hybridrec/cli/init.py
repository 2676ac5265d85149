"""`hybridrec init`: look at data files and write a first config for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hybridrec.cli._console import say
from hybridrec.cli._options import BLOCK, PLUGIN


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("experiment.yaml"), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@click.option("--interactions", type=click.Path(path_type=Path), help="The one of FILES that holds the interactions.")
@click.option("--user", metavar="COLUMN", help="Column of the user (playlist, basket, ...) in the interactions.")
@click.option("--item", metavar="COLUMN", help="Column of the item in the interactions.")
@click.option("--time", metavar="COLUMN", help="Column of the time in the interactions.")
@click.option("--weight", metavar="COLUMN", help="Column of the rating or count in the interactions.")
@click.option("--header/--no-header", default=None, help="The first line of text files holds names, or values.")
@click.option("--day-first/--month-first", default=None, help="Order of day and month in dates that do not show it.")
@BLOCK
@PLUGIN
def init(
    files: tuple[Path, ...],
    output: Path,
    force: bool,
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
    **said: Any,
) -> None:
    """Profile your own data FILES and write a working config for them, with a JSON Schema for your editor.

    FILES may be a folder. For a published data set (MovieLens, ...) the config names the reader that is made for it. In
    other files, the columns of users, items and times are recognised by their names and contents; comments in the
    config state the evidence. If a column cannot be recognised, you are asked on a terminal, or name it by the options
    below.
    """
    import json

    from hybridrec.config.json_schema import experiment_schema
    from hybridrec.config.starter import SCHEMA, starting_config
    from hybridrec.data.io.interaction_columns import SchemaHints
    from hybridrec.errors import ConfigError
    from hybridrec.paths import write_whole, writing
    from hybridrec.registry.discovery import Registry

    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    registry = Registry(block=block, plugins=plugins)
    hints = SchemaHints(choose=_ask if sys.stdin.isatty() and sys.stdout.isatty() else None, **said)
    description, config = starting_config(files, output.resolve().parent, registry, hints)
    for line in description:
        say(line)
    schema = output.parent / SCHEMA
    with writing(schema):
        schema.parent.mkdir(exist_ok=True)
    write_whole(schema, json.dumps(experiment_schema(registry), indent=1, ensure_ascii=False))
    write_whole(output, config)
    say(f"wrote {output}; try: hybridrec run {output}")


def _ask(question: str, answers: Sequence[str]) -> str:
    """Ask a question on the terminal, and return the chosen answer."""
    return str(click.prompt(question, type=click.Choice(list(answers)), err=True))
