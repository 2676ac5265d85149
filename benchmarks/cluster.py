"""The same experiment and the same slates by one process, by several, by Ray and by Spark: seconds and memory."""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hybridrec
from benchmarks import engines, peers, synthetic
from benchmarks.batch import ALONE
from benchmarks.processes import measure
from benchmarks.synthetic import Size
from benchmarks.timing import CORES, ROOT, Way, Work

SHARES = 8
NODES = 3


def cluster(quick: bool) -> list[Work]:
    """Fit by threads, by one to eight shares, on three nodes of Ray; recommend by loops and by Spark (Linux)."""
    return [_fits(quick), _slates(quick)]


def _slates(quick: bool) -> Work:
    """Recommend to 100,000 users by as many processes, and tasks of Spark, as there are cores."""
    users, items = (2_000, 2_000) if quick else (100_000, 60_000)
    counts = range(1, CORES + 1)
    work = engines.slates_of(Size(users, items, 20 * users), ALONE, counts, counts, starts=False)
    work.name = f"slates of {work.name}"
    return work


def _fits(quick: bool) -> Work:
    """Fit an experiment by threads, by shares and on nodes of Ray, and compare the reports."""
    size, folds, iterations = (Size(500, 300, 5_000), 2, 1) if quick else (Size(20_000, 5_000, 500_000), 4, 10)
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
        steps = {"threads": [[[*run, "threads"]]]}
        for count in (*range(1, CORES + 1), SHARES):
            alike = [[*fit, *one_thread, "--share", f"{number}/{count}", "--wait"] for number in range(1, count + 1)]
            steps[_shares(count)] = [alike, [[*run, f"shares-{count}"]]]
        if find_spec("ray") is not None:
            ray = [sys.executable, str(ROOT / "benchmarks" / "ways" / "with_ray.py"), str(NODES), "ray"]
            steps[f"Ray, {NODES} nodes"] = [[ray]]
        ways = {name: Way() for name in steps}
        for name, rows in steps.items():
            measure(rows, place, {"HYBRIDREC_STORE": f"store of {name}"}, ways[name])
            stored = sum(file.stat().st_size for file in (place / f"store of {name}").rglob("*") if file.is_file())
            ways[name].facts["MB in the store"] = stored / 1e6
        reports = [hybridrec.Run.open(next((place / rows[-1][0][-1]).iterdir())).report for rows in steps.values()]
        same = all(report.comparable() == reports[0].comparable() for report in reports)
        again = Way()
        measure([[[*fit, *one_thread]]], place, {"HYBRIDREC_STORE": f"store of {_shares(SHARES)}"}, again)
    units = len(reports[0].fits)
    work = Work("fits of ALS and their evaluation", "fit", units, ways, "CPU")
    for name in [*ways][1:]:
        work.ratio(name, "threads")
    work.ratio(_shares(CORES), _shares(1))
    work.note("reports that are equal, 1 for yes", float(same), "1")
    work.note("CPU seconds of a worker that finds all done: imports, data, splits", again.cpu[0])
    work.note("MB of the data, which each worker reads", pairs.stat().st_size / 1e6)
    return work


def _shares(count: int) -> str:
    return f"{count} share{'s' * (count > 1)} on a folder"
