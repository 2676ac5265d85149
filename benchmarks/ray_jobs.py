"""The cost of a fit on Ray: CPU beside threads for long and short fits, and the memory of a mapped training part."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.processes import marked_environment
from benchmarks.timing import ROOT, Way, Work

LONG = 4
"""The number of long fits."""
NODES = 2
SHARE = "CPU that Ray adds, as a share of a core during the fit"
COMPUTING = "CPU of a fit that computes: on Ray / by threads"
ADDED = "CPU ms that Ray adds to a fit"
DRIVER = "CPU ms of the driver for a fit"
START = "CPU seconds of the start of a worker"


def ray_jobs(quick: bool) -> list[Work]:
    """Fit by two threads and by two nodes of Ray that have started; map a training part into both (Linux)."""
    seconds, jobs, megabytes = (0.2, 8, 4) if quick else (10.0, 100, 100)
    env = marked_environment({"OMP_NUM_THREADS": "1"})
    script = str(ROOT / "benchmarks" / "ways" / "with_ray_jobs.py")
    words = [sys.executable, script, str(seconds), str(jobs), str(megabytes)]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    works = []
    names = {
        "long": f"fits of {seconds:g} s",
        "short": "fits of nothing",
        "computing": f"fits of {seconds:g} s that compute",
    }
    for kind, name in names.items():
        ways = {
            name: Way([told[f"{name} {kind}"]["wall"]], [told[f"{name} {kind}"]["cpu"]]) for name in ("threads", "ray")
        }
        works.append(Work(name, "fit", jobs if kind == "short" else LONG, ways, "CPU"))
    long, short, computing = works
    # These fits wait: what Ray's processes take goes by the second, and is not mixed with what fits take.
    share = (long.ways["ray"].cpu[0] - long.ways["threads"].cpu[0]) / (LONG * seconds)
    long.note(SHARE, share, "≤ 0.05")
    computed = {name: way.cpu[0] for name, way in computing.ways.items()}
    computing.note(COMPUTING, computed["ray"] / computed["threads"], "≤ 1.05")
    added = (told["ray short"]["cpu"] - told["threads short"]["cpu"]) / jobs
    short.note(ADDED, 1e3 * added, "≤ 60")
    short.note(DRIVER, 1e3 * told["ray short"]["driver"] / jobs)
    short.note(START, (told["ray first"]["cpu"] - told["threads first"]["cpu"]) / NODES)
    short.note("MB of a training part", told["part"] / 1e6)
    short.note("MB of it in memory, of all workers together (PSS)", told["pss"] / 1e6)
    short.note("MB of it mapped by the workers, counted for each (RSS)", told["rss"] / 1e6)
    return works
