"""The branches of readers that attempts take, as the library coverage counts them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridrec.registry.discovery import Registry

ROOT = Path(__file__).parents[2]
PARSERS = (
    "hybridrec/data/io/*",
    "hybridrec/data/readers/*",
    "plugins/hybridrec_server/journal/tables.py",
    "plugins/hybridrec_server/journal/frames.py",
    "plugins/hybridrec_sql/results.py",
    "plugins/hybridrec_sql/database.py",
)
"""Modules that read files beside those of the readers themselves."""


def module_of(reader: str) -> str:
    """Return the path of the module of a reader, below the root of the project."""
    return Path(inspect.getfile(Registry().get("readers", reader))).relative_to(ROOT).as_posix()


@contextmanager
def measured(folder: Path) -> Iterator[None]:
    """Measure the `with` block, and keep the branches of readers that it took in a file of the folder."""
    from coverage import Coverage

    modules = (*PARSERS, *map(module_of, Registry().names("readers")))
    settings = {
        "branch": "true",
        "concurrency": "multiprocessing,thread",  # also the processes that the block starts
        "data_file": str(folder / "branches"),
        "include": ",".join(str(ROOT / module) for module in modules),
        "parallel": "true",
    }
    (folder / "settings").write_text("[run]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
    measurement = Coverage(config_file=str(folder / "settings"))
    with measurement.collect():
        yield
    measurement.save()


def taken(folder: Path) -> dict[str, tuple[int, int]]:
    """Return module -> (branches taken, all branches) of what was measured into the folder, in any number of files."""
    from coverage import Coverage

    measurement = Coverage(folder / "branches", branch=True, config_file=False)
    measurement.combine([str(folder)])
    report = folder / "report.json"
    measurement.json_report(outfile=str(report))
    measurements = json.loads(report.read_text(encoding="utf-8"))["files"]
    totals = {Path(path).resolve(): each["summary"] for path, each in measurements.items()}
    return {
        path.relative_to(ROOT).as_posix(): (total["covered_branches"], total["num_branches"])
        for path, total in sorted(totals.items())
        if total["num_branches"]
    }
