"""Seconds and memory of commands and of all processes that they start (Linux)."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.timing import ROOT, Way

_MARK = "HYBRIDREC_BENCHMARK_MARK"


def marked_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of commands that import as this process does, with a mark that their processes share."""
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path)))}
    return os.environ | paths | (more or {}) | {_MARK: secrets.token_hex(8)}


def marked(mark: str) -> Iterator[Path]:
    """Yield the folders below `/proc` of the processes whose environment has this mark."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if mark.encode() in (process / "environ").read_bytes():
                yield process


def cpu_seconds(process: Path, *, with_children: bool = False) -> float:
    """Return the CPU seconds of the process of a folder below `/proc`, and if asked for, of its ended children."""
    times = (process / "stat").read_text().rpartition(") ")[2].split()[11:15]
    return sum(map(int, times if with_children else times[:2])) / os.sysconf("SC_CLK_TCK")


def cpu_of_marked() -> float:
    """Return the CPU seconds of all processes that share the mark of this one, with those of their ended children."""
    total = 0.0
    for process in marked(os.environ[_MARK]):
        with suppress(OSError):  # it has ended
            total += cpu_seconds(process, with_children=True)
    return total


def measure(rows: Sequence[Sequence[Sequence[str]]], place: Path, more: Mapping[str, str], way: Way) -> None:
    """Run rows of commands one after the other, those of a row side by side, and note seconds and memory."""
    env = marked_environment(more)
    started = time.perf_counter()
    with _watched(env[_MARK]) as told:
        for row in rows:
            processes = [
                subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for command in row
            ]
            for process in processes:
                error = process.communicate()[1]
                if process.returncode:
                    raise RuntimeError(error.decode())
        way.wall.append(time.perf_counter() - started)
    way.cpu.append(sum(told["cpu"].values()))
    way.facts |= {"private MB of a process": told["one"] / 1e6, "of all": told["all"] / 1e6}


@contextmanager
def _watched(mark: str) -> Iterator[dict[str, Any]]:
    """Watch the processes whose environment has this mark.

    Yields their CPU seconds by process, and the largest private memory of one and of all of them, in bytes.
    """
    told: dict[str, Any] = {"cpu": {}, "one": 0, "all": 0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            sizes = []
            for process in marked(mark):
                with suppress(OSError):  # it has ended
                    told["cpu"][process.name] = cpu_seconds(process)
                    _, resident, shared, *_ = map(int, (process / "statm").read_text().split())
                    sizes.append((resident - shared) * os.sysconf("SC_PAGE_SIZE"))
            told["one"], told["all"] = max(told["one"], *sizes, 0), max(told["all"], sum(sizes))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join()
