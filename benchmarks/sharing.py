"""Memory of processes that recommend from the same run, shared and private."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work, run_way

PROCESSES = 4


def sharing(quick: bool) -> list[Work]:
    """Measure the memory of four processes that recommend from one run, over four times the memory of one (Linux)."""
    size = Size(2_000, 5_000, 40_000) if quick else Size(20_000, 500_000, 2_000_000)
    data = synthetic.write(size, peers.cache_folder() / "data")
    with tempfile.TemporaryDirectory() as runs:
        told = {count: run_way(sys.executable, "with_sharing.py", data, count, runs) for count in (1, PROCESSES)}
    names = {1: "1 process", PROCESSES: f"{PROCESSES} processes"}
    ways = {names[count]: Way([at["seconds"]], [at["cpu"]], _megabytes(at)) for count, at in told.items()}
    work = Work("recommending from one run, in processes of their own", "load and query", 1, ways)
    alone, together = (sum(told[count]["memory"].values()) for count in (1, PROCESSES))
    work.note(f"memory of {PROCESSES} processes / {PROCESSES} x 1", together / (PROCESSES * alone))
    work.note("MB that each process has to itself", told[PROCESSES]["memory"]["own"] / PROCESSES / 1e6)
    return [work]


def _megabytes(told: dict[str, Any]) -> dict[str, float]:
    memory = told["memory"]
    return {
        "memory, MB": sum(memory.values()) / 1e6,
        "of it mapped files": memory["files"] / 1e6,
        "factors, MB": told["factors"] / 1e6,
    }
