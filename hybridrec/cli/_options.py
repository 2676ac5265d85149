"""Options and arguments shared by several commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import Any, TypedDict

import click


class _StorePlace(click.Path):
    """The path of a folder, or an address, whose slashes a path would not keep."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, str) and "://" in value else super().convert(value, param, ctx)


CONFIG = click.argument("config", type=click.Path(path_type=Path))
SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Override a key of the config. A relative path starts at the current folder.",
)
STORE = click.option(
    "--store",
    "store_folder",
    type=_StorePlace(),
    envvar="HYBRIDREC_STORE",
    default=Path(".hybridrec/store"),
    show_default=True,
    help="Folder of the store of fitted components, or its address (s3://BUCKET/FOLDER).",
)
BLOCK = click.option(
    "--block", multiple=True, metavar="PLUGIN", help="Do not load this plugin (its name or that of its distribution)."
)
PLUGIN = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py",
    type=click.Path(path_type=Path),
    help="Load the plugin classes of this file, without packaging.",
)
EXECUTOR = click.option(
    "--executor",
    envvar="HYBRIDREC_EXECUTOR",
    metavar="NAME",
    help="Where fits and queries are worked on, as `processes` or `ray`; by default what the config names, or threads.",
)
RUNS = click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of runs."
)

TARGET = click.option(
    "--target", default="items", show_default=True, metavar="KIND", help="Recommend items, or entities of another kind."
)
HELD_OUT_QUERY = click.option(
    "--query",
    "number",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of the query, from 1, where a list of the test part has several.",
)
RUN = click.argument("run", type=click.Path(path_type=Path))

RUN_OR_BUNDLE = click.argument("run_or_bundle", metavar="RUN", type=click.Path(path_type=Path))


class FitOptions(TypedDict):
    """Options of commands that read a config and look for its fits, named like the arguments of the functions."""

    store: Path | str
    block: tuple[str, ...]
    plugins: tuple[Path, ...]


class ExperimentOptions(FitOptions):
    """Options of commands that carry out an experiment, named like the arguments of the functions `run` and `tune`."""

    runs: Path


def fit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument CONFIG and the options `--set`, `--store`, `--block` and `--plugin` to a command.

    `command` is called with the path of the config, the assignments, `FitOptions`, and its own options.
    """

    @wraps(command)
    def collected(
        config: Path,
        assignments: tuple[str, ...],
        store_folder: Path | str,
        block: tuple[str, ...],
        plugins: tuple[Path, ...],
        **own: Any,
    ) -> None:
        command(config, assignments, FitOptions(store=store_folder, block=block, plugins=plugins), **own)

    return reduce(lambda wrapped, add: add(wrapped), (PLUGIN, BLOCK, STORE, SET, CONFIG), collected)


def work_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what `fit_options` adds and the option `--executor` to a command that does fits.

    `command` is called with the path of the config, the assignments, among them that of the executor, `FitOptions`,
    and its own options.
    """

    @wraps(command)
    def collected(
        config: Path, assignments: tuple[str, ...], options: FitOptions, executor: str | None, **own: Any
    ) -> None:
        named = (f"executor={json.dumps(executor)}",) if executor else ()
        command(config, (*named, *assignments), options, **own)

    return fit_options(EXECUTOR(collected))


def experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what `work_options` adds and the option `--runs` to a command that carries out an experiment.

    `command` is called with the path of the config, the assignments, `ExperimentOptions`, and its own options.
    """

    @wraps(command)
    def collected(config: Path, assignments: tuple[str, ...], options: FitOptions, runs: Path, **own: Any) -> None:
        command(config, assignments, ExperimentOptions(**options, runs=runs), **own)

    return work_options(RUNS(collected))
