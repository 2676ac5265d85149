"""The harness that attacks hybridrec: `python -m tests.torture` is its short form, `--long` its long one.

Each part of `parts.PARTS` tries what has to be survived, from a seed, and names what was lost. With `--write` the
figures go to `docs/reliability.json` and the tables of `docs/reliability.md`. The exit status is 1 after any loss.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from tests.torture.branches import taken
from tests.torture.parts import PARTS, Part, carry_out
from tests.torture.tables import readers, write

ALONE = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "RUST_BACKTRACE": "0"}
"""The environment of a part: one thread each, since the parts run side by side."""
CHUNK = 5_000
"""The most attempts in one process, so that the long form of a part can use both cores."""


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS]))
@click.option("--long", is_flag=True, help="Try as much as docs/reliability.md states.")
@click.option("--tries", type=int, help="Try so much of each part.")
@click.option("--seed", default=1, show_default=True, help="Seed of all attempts.")
@click.option("--jobs", default=2, show_default=True, help="Processes side by side.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the files of what was lost.")
@click.option("--coverage", is_flag=True, help="Measure which branches of the readers `data` takes.")
@click.option("--write", "written", is_flag=True, help="Write the figures into docs/reliability.json and .md.")
def main(
    parts: tuple[str, ...],
    long: bool,
    tries: int | None,
    seed: int,
    jobs: int,
    keep: Path | None,
    coverage: bool,
    written: bool,
) -> None:
    """Attack hybridrec: all PARTS, or those named."""
    os.environ |= ALONE
    wanted = {name: tries or (PARTS[name].long if long else PARTS[name].short) for name in parts or PARTS}
    figures: dict[str, dict[str, Any]] = {name: _nothing(seed, n) for name, n in wanted.items()}
    lost = False
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as scratch,
        ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        folders = {"data": Path(scratch)} if coverage else {}
        tasks = [
            (name, seed + start, n_tries, keep, folders.get(name))
            for name, n in wanted.items()
            for start, n_tries in pieces(PARTS[name], n)
        ]
        for task in as_completed([pool.submit(carry_out, *task) for task in tasks]):
            name, outcome, seconds, memory = task.result()
            figure = figures[name]
            figure["tried"] += outcome.tried
            figure["survived"] += outcome.survived
            figure["seconds"] += seconds
            figure["memory"] = max(figure["memory"], memory)
            for key, count in outcome.counts.items():
                figure["counts"][key] = figure["counts"].get(key, 0) + count
            lost |= bool(outcome.losses)
            print(f"{name}: {outcome.survived:,} of {outcome.tried:,} survived in {seconds:.0f} s", flush=True)
            for loss in outcome.losses:
                print(f"  lost: {loss}", flush=True)
        if "data" in figures and folders:
            figures["data"]["branches"] = taken(Path(scratch))
    print(json.dumps(figures, indent=1))
    if "data" in figures:
        print(readers(figures["data"]))
    if written:
        write(figures)
    sys.exit(int(lost))


def pieces(attacked: Part, tries: int) -> list[tuple[int, int]]:
    """Return (start, number of attempts) of the pieces into which the attempts of a part are cut."""
    size = tries if attacked.whole else CHUNK
    return [(start, min(size, tries - start)) for start in range(0, tries, size)]


def _nothing(seed: int, tries: int) -> dict[str, Any]:
    return {
        "tried": 0, "survived": 0, "seconds": 0.0, "memory": 0, "seed": seed, "tries": tries,
        "counts": {},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
