"""`hybridrec ray-run`: run an experiment on a cluster of Ray."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from hybridrec import print_report
from hybridrec import run as carry_out
from hybridrec_ray.executor import RayExecutor


@click.command("ray-run")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--address", help="Address of the cluster, or `auto` on one of its nodes; by default one is started here."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY.PATH=VALUE", help="Override a key of the config.")
@click.option("--store", help="Folder or address of the store, which all nodes see; the usual one by default.")
@click.option("--runs", default="runs", show_default=True, help="Folder of runs.")
@click.option("--block", multiple=True, metavar="PLUGIN", help="Do not load this plugin.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE.py", help="Load the plugin classes of this file.")
def ray_run(
    config: Path,
    address: str | None,
    assignments: tuple[str, ...],
    store: str | None,
    runs: str,
    block: tuple[str, ...],
    plugins: tuple[str, ...],
) -> None:
    """Run an experiment as `run` does, with fits and queries on a cluster of Ray, and print the verdict."""
    with redirect_stdout(sys.stderr), RayExecutor(address) as executor:
        finished = carry_out(
            config, assignments, store=store, runs=runs, block=block, plugins=plugins, executor=executor
        )
    print_report(finished.report)
    print(finished.folder / "report.json")
