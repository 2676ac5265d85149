"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    pass


CONFIG = click.argument("config", type=click.Path(path_type=Path))


SET = click.option(
    "--set", "assignments", multiple=True, metavar="KEY.PATH=VALUE", help="Override a key of the config."
)


STORE = click.option(
    "--store",
    "store_folder",
    type=click.Path(path_type=Path),
    envvar="HYBRIDREC_STORE",
    default=Path(".hybridrec/store"),
    show_default=True,
    help="Where fitted components are kept.",
)


BLOCK = click.option(
    "--block", multiple=True, metavar="PLUGIN", help="Leave a plugin out, by its name or that of its distribution."
)


RUNS = click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of runs."
)

TARGET = click.option("--target", type=click.Choice(["items", "tags"]), default="items", show_default=True)


RUN = click.argument("run", type=click.Path(path_type=Path))

RUN_OR_BUNDLE = click.argument("run_or_bundle", metavar="RUN", type=click.Path(path_type=Path))

SEED = click.option("--seed", default=0, show_default=True, help="Of the coins and the resamples.")
