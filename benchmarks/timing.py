"""Timing of several ways to do the same work, in turn, and the results."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

CORES = os.cpu_count() or 1
ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Way:
    """Way to do a piece of work: wall and CPU seconds of each repetition, and other facts about it."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the medians of the seconds, CPU / wall, and the facts."""
        wall, cpu = median(self.wall), median(self.cpu)
        return {"wall": wall, "cpu": cpu, "cpu_over_wall": cpu / wall if wall else None, **self.facts}


@dataclass(slots=True)
class Work:
    """Piece of work with its number of units, the ways to do it, and figures that compare them."""

    name: str
    unit: str
    units: int
    ways: dict[str, Way]
    clock: Literal["wall", "CPU"] = "wall"
    """The clock that the table shows; `CPU` for work whose wall time depends mostly on other programs."""
    ratios: list[dict[str, Any]] = field(default_factory=list)

    def ratio(self, of: str, to: str, wanted: str = "") -> None:
        """Note the time of way `of` over that of way `to`, wall and CPU: the median ratio of the repetitions."""
        way, other = self.ways[of], self.ways[to]
        self.note(f"{of} / {to}", _median_ratio(way.wall, other.wall), wanted, cpu=_median_ratio(way.cpu, other.cpu))

    def note(self, figure: str, value: float, wanted: str = "", **more: float) -> None:
        """Note a figure with its value, the value that is wanted, and other numbers."""
        self.ratios.append({"what": figure, "value": value, "wanted": wanted, **more})

    def as_json(self) -> dict[str, Any]:
        """Return the work with its ways and figures as a mapping for JSON files."""
        ways = {name: way.as_json() for name, way in self.ways.items()}
        return {
            "work": self.name,
            "unit": self.unit,
            "units": self.units,
            "clock": self.clock,
            "ways": ways,
            "ratios": self.ratios,
        }


def race(name: str, unit: str, units: int, ways: Mapping[str, Callable[[], object]], repeats: int) -> Work:
    """Time all ways `repeats` times, in turn, after running each once to warm up.

    Odd repetitions begin with the last way.
    """
    times = {way: Way() for way in ways}
    with threadpool_limits(limits=1):
        for do in ways.values():
            do()
        for repeat in range(repeats):
            for way in list(ways)[:: 1 if repeat % 2 == 0 else -1]:
                wall, cpu = time.perf_counter(), time.process_time()
                ways[way]()
                times[way].wall.append(time.perf_counter() - wall)
                times[way].cpu.append(time.process_time() - cpu)
    return Work(name, unit, units, times)


def in_blocks(work: Callable[[slice], object], queries: int, rows: int) -> Callable[[], None]:
    """Return a function that does `work` on all queries in blocks of `rows`, on all cores."""

    def do() -> None:
        with ThreadPoolExecutor(CORES) as executor:
            for _ in executor.map(work, (slice(start, start + rows) for start in range(0, queries, rows))):
                pass

    return do


def run_way(python: Path | str, script: str, *arguments: object) -> dict[str, Any]:
    """Run a script of `ways` with the given interpreter and one BLAS thread, and return its JSON output.

    Raises RuntimeError with the end of its error output if it fails.
    """
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [str(python), "-W", "ignore", str(ROOT / "benchmarks" / "ways" / script), *map(str, arguments)],
        env=os.environ | threads | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed: " + " | ".join(done.stderr.strip().splitlines()[-12:]))
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine() -> dict[str, Any]:
    """Describe the machine of the measurement."""
    return {
        "cores": CORES,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0],
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def _median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return median(duration / max(other, 1e-9) for duration, other in zip(ones, others, strict=True))
