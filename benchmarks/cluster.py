"""The same experiment by threads, by workers that share a folder, and by Ray: seconds, memory, and equal reports."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hybridrec
from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import ROOT, Way, Work

SHARES = 8
NODES = 3
_MARK = "HYBRIDREC_BENCHMARK_MARK"


def cluster(quick: bool) -> list[Work]:
    """Fit an experiment by threads, by eight shares on a folder and on three nodes of Ray (Linux)."""
    size, folds, iterations = (Size(500, 300, 5_000), 2, 1) if quick else (Size(20_000, 5_000, 500_000), 4, 15)
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    labels = [f"als-{factors}" for factors in (32, 48, 64, 96)]
    config: dict[str, Any] = {
        "name": "cluster",
        "data": {"reader": "table", "interactions": {"path": str(pairs), "user": "user", "item": "item"}},
        "split": {"use": "random", "folds": folds, "test": 0.01},
        "components": {
            label: {"use": "als", "factors": int(label[4:]), "iterations": iterations, "fields": ["items"]}
            for label in labels
        },
        "targets": {"items": 20},
        "pipelines": {label: {"generators": [{"from": label, "k": 20}], "fallback": []} for label in labels},
        "compare": {"control": labels[0], "metrics": ["ndcg@20"], "resamples": 100},
    }
    command = [sys.executable, "-m", "hybridrec"]
    one_thread = ["--set", "workers=1"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "cluster.yaml").write_text(json.dumps(config), encoding="utf-8")
        fit = [*command, "fit", "cluster.yaml", "--quiet"]
        run = [*command, "run", "cluster.yaml", "--quiet", "--runs"]
        alike = [[*fit, *one_thread, "--share", f"{number}/{SHARES}", "--wait"] for number in range(1, SHARES + 1)]
        steps = {
            "threads": [[[*run, "threads"]]],
            f"{SHARES} shares on a folder": [alike, [[*run, "shares"]]],
        }
        if find_spec("ray") is not None:
            ray = [sys.executable, str(ROOT / "benchmarks" / "ways" / "with_ray.py"), str(NODES), "ray"]
            steps[f"Ray, {NODES} nodes"] = [[ray]]
        ways = {name: Way() for name in steps}
        for name, rows in steps.items():
            _measure(rows, place, {"HYBRIDREC_STORE": f"store of {name}"}, ways[name])
        reports = [hybridrec.Run.open(next((place / runs).iterdir())).report for runs in ("threads", "shares", "ray")
                   if (place / runs).exists()]  # fmt: skip
        same = all(report.comparable() == reports[0].comparable() for report in reports)
        again = Way()
        _measure([[[*fit, *one_thread]]], place, {"HYBRIDREC_STORE": f"store of {SHARES} shares on a folder"}, again)
    units = len(reports[0].fits)
    work = Work("fits of ALS and their evaluation", "fit", units, ways, "CPU")
    for name in [*ways][1:]:
        work.ratio(name, "threads")
    work.note("reports that are equal, 1 for yes", float(same), "1")
    work.note("CPU seconds of a worker that finds all done: imports, data, splits", again.cpu[0])
    return [work]


def _measure(rows: Sequence[Sequence[Sequence[str]]], place: Path, more: Mapping[str, str], way: Way) -> None:
    """Run rows of commands one after the other, those of a row side by side, and note seconds and memory."""
    mark = secrets.token_hex(8)
    env = os.environ | more | {_MARK: mark, "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path)))}
    started = time.perf_counter()
    with _watched(mark) as told:
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
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if mark.encode() not in (process / "environ").read_bytes():
                        continue
                    fields = (process / "stat").read_text().rpartition(") ")[2].split()
                    told["cpu"][process.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                    _, resident, shared, *_ = map(int, (process / "statm").read_text().split())
                    sizes.append((resident - shared) * os.sysconf("SC_PAGE_SIZE"))
                except OSError:  # it has ended
                    continue
            told["one"], told["all"] = max(told["one"], *sizes, 0), max(told["all"], sum(sizes))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join()
