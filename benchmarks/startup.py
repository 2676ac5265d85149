"""Duration of the start of processes: light commands beside `import numpy`, and the time to the first slate."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hybridrec
from benchmarks.timing import ROOT, Way, Work

NUMPY = ["-c", "import numpy"]
SERVING = ["-c", "import numpy, scipy.sparse, pydantic"]
SMALL = {
    "name": "small",
    "data": {"reader": "setlists", "min_items": 20},
    "split": {"use": "masked"},
    "components": {"popularity": {}, "ease": {}},
    "pipelines": {"blend": {"generators": [{"from": "ease"}], "fallback": ["popularity"]}},
    "refit": "all",
}


def startup(quick: bool) -> list[Work]:
    """Time processes from their start to their end, in turn; the page has medians."""
    rounds = 3 if quick else 11
    commands = {
        "import numpy": NUMPY,
        "hybridrec --help": ["-m", "hybridrec", "--help"],
        "hybridrec plugins": ["-m", "hybridrec", "plugins"],
    }
    light = race_processes("light commands", commands, rounds)
    light.ratio("hybridrec --help", "import numpy", "1")
    light.ratio("hybridrec plugins", "import numpy", "8")
    with served_bundle(quick) as bundle:
        ways = {"imports": SERVING, "first slate": ["-m", "benchmarks.ways.first_slate", str(bundle)]}
        first = race_processes("from a process to its first slate", ways, rounds)
        first.ratio("first slate", "imports", "2")
        loads = []
        for _ in range(rounds):
            started = time.perf_counter()
            hybridrec.load(bundle)
            loads.append(time.perf_counter() - started)
        first.note("seconds of load()", min(loads[1:]), ".3")
    return [light, first]


@contextmanager
def served_bundle(quick: bool) -> Iterator[Path]:
    """Make a bundle of the quickstart, or of a small experiment if `quick`, and yield its path."""
    with tempfile.TemporaryDirectory() as place:
        config = SMALL if quick else ROOT / "configs" / "quickstart.yaml"
        assignments = ["refit=all", "compare.singles=false"]
        run = hybridrec.run(config, assignments, store=Path(place, "store"), runs=Path(place, "runs"))
        yield run.bundle(Path(place, "served.hybridrec"))


def race_processes(name: str, commands: dict[str, list[str]], rounds: int) -> Work:
    """Time commands of Python, each started in turn so that other load on the machine affects all alike."""
    ways = {command: Way() for command in commands}
    for number in range(rounds + 1):
        for command, arguments in commands.items():
            started, before = time.perf_counter(), os.times()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            wall, after = time.perf_counter() - started, os.times()
            if number:  # the first round fills the caches of files
                ways[command].wall.append(wall)
                used = after.children_user + after.children_system - before.children_user - before.children_system
                ways[command].cpu.append(used)
    return Work(name, "processes", 1, ways)
