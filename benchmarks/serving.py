"""The HTTP server beside `recommend` in a process: CPU of a request, latency, and what batches of requests save."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks import peers, synthetic
from benchmarks.batch import BLEND, write_models
from benchmarks.load import PATH
from benchmarks.processes import cpu_seconds
from benchmarks.synthetic import Size
from benchmarks.timing import ROOT, Way, Work
from hybridrec import Query, Recommender, Tables, assemble, load, run

SIZES = (Size(10_000, 10_000, 200_000), Size(10_000, 100_000, 200_000))
QUICK_SIZES = (Size(120, 60, 2_400),)
CONCURRENCY = (1, 8, 64)
SECONDS, QUICK_SECONDS = 6.0, 1.0
"""Seconds of each run of the load."""
KNOWN = 20
"""The least number of items that a user who is asked for has."""
PLACES, BLOCK = 10, 32
ROUNDS = 5
"""Rounds in which what is compared is measured in turn."""
SERVER_CORE, LOAD_CORE = 0, 1


def serving(quick: bool) -> list[Work]:
    """Time requests over HTTP, one core for the server and one for the load, beside `recommend` in a process."""
    works = []
    for size in QUICK_SIZES if quick else SIZES:
        pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "serving.hybridrec"
            write_models(bundle, assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"]))), BLEND)
            works.append(measured(f"{' + '.join(BLEND)}, {size.items:,} items", bundle, quick=quick))
    if not quick:
        with tempfile.TemporaryDirectory() as scratch:
            smaller = ["split.folds=2", "components.lightfm.epochs=1", "components.word2vec.epochs=1"]
            store = peers.cache_folder() / "quickstart" / "store"
            made = run(ROOT / "configs" / "quickstart.yaml", ["refit=all", *smaller], store=store, runs=Path(scratch))
            works.append(measured("quickstart's hybrid", made.folder, quick=quick))
    return works


def measured(name: str, bundle: Path, *, quick: bool) -> Work:
    """Time a bundle: in this process one by one and in blocks, then over HTTP at each concurrency.

    What is compared is measured in turn, in rounds, since other programs come and go: each round has a ratio.
    """
    seconds = QUICK_SECONDS if quick else SECONDS
    recommender = load(bundle)
    users = known_users(recommender)
    bodies = [json.dumps({"user": user, "n": PLACES}) for user in users]
    alone, share, empty = f"recommend, {1} at a time", f"recommend, {BLOCK} at a time", "HTTP, empty endpoint"
    full = f"HTTP, {CONCURRENCY[-1]} at a time"
    ways = {alone: in_process(recommender, users, 1, 32 if quick else 128), share: Way(), empty: Way()}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(bundle, Path(folder), workers=1, core=SERVER_CORE, deadline="60") as server,
    ):
        for connections in CONCURRENCY:
            asked(server, bodies, connections, seconds / 4)
            if connections != CONCURRENCY[-1]:
                ways[f"HTTP, {connections} at a time"] = asked(server, bodies, connections, seconds)
        rounds: dict[str, list[Way]] = {share: [], empty: [], full: []}
        for _ in range(ROUNDS):
            rounds[share].append(in_process(recommender, users, BLOCK, 32 if quick else 256))
            rounds[full].append(asked(server, bodies, CONCURRENCY[-1], seconds / ROUNDS))
            rounds[empty].append(asked(server, ["empty"], CONCURRENCY[-1], seconds / ROUNDS))
        ways |= {way: merged(each) for way, each in rounds.items()}
    work = Work(f"one request: {name}, {PLACES} of them, {KNOWN} items known", "request", 1, ways, "CPU")
    seconds_of = list(zip(ways[full].cpu, ways[share].cpu, ways[empty].cpu, strict=True))
    added = median(cpu - in_block for cpu, in_block, _ in seconds_of)
    ratio = median(cpu / (in_block + bare) for cpu, in_block, bare in seconds_of)
    p99 = ways[full].facts["p99, ms"] / (1e3 * BLOCK * median(ways[share].wall))
    work.note(f"CPU that HTTP adds at {CONCURRENCY[-1]}, ms", 1e3 * added, "≤ 0.35")
    work.note(f"CPU at {CONCURRENCY[-1]} / (share of {BLOCK} + empty endpoint)", ratio, "≤ 1.3")
    work.note(f"p99 at {CONCURRENCY[-1]} / one full batch", p99, "≤ 3")
    work.note("load average at the end", os.getloadavg()[0])
    return work


def merged(rounds: Sequence[Way]) -> Way:
    """Return several rounds as one way: all their seconds, and the median of each fact."""
    facts = {name: median(each.facts[name] for each in rounds) for name in rounds[0].facts}
    return Way([each.wall[0] for each in rounds], [each.cpu[0] for each in rounds], facts)


def known_users(recommender: Recommender) -> list[str]:
    """Return users with about `KNOWN` items, at most 512 of them."""
    lengths = recommender.data.interactions.lengths
    nearest = sorted(range(len(lengths)), key=lambda user: (abs(int(lengths[user]) - KNOWN), user))[:512]
    packed = recommender.data.users.vocabulary.packed
    return [packed[user] for user in nearest]


def in_process(recommender: Recommender, users: Sequence[str], rows: int, queries: int) -> Way:
    """Return the mean seconds of a query, on one core, if so many `rows` are asked at once."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        with threadpool_limits(limits=1):
            recommender.recommend([Query(user=user) for user in users[:rows]], PLACES)
            wall, cpu = time.perf_counter(), time.process_time()
            for start in range(0, queries, rows):
                block = [Query(user=users[place % len(users)]) for place in range(start, start + rows)]
                recommender.recommend(block, PLACES)
            return Way([(time.perf_counter() - wall) / queries], [(time.process_time() - cpu) / queries])
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its process, its port, and the path where it recommends."""

    process: int
    port: int
    path: str = PATH

    def processes(self) -> list[int]:
        """Return the front and its workers."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        return [self.process, *map(int, children)]

    def cpu(self) -> float:
        """Return the seconds of CPU that front and workers have taken so far."""
        return sum(cpu_seconds(Path("/proc", str(process))) for process in self.processes())


@contextmanager
def served(bundle: Path, folder: Path, *, workers: int, core: int | None = None, **options: str) -> Iterator[Server]:
    """Run `hybridrec serve` with events and journal below `folder`, on one core if `core` says which."""
    command = [
        sys.executable,
        "-m",
        "hybridrec",
        "serve",
        str(bundle),
        "--port",
        "0",
        "--folder",
        str(folder / "serve"),
    ]
    command += ["--workers", str(workers), "--log", "json"]
    for option, value in options.items():
        command += [f"--{option}", value]
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*pinned, *command], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server did not start: {(folder / 'server.log').read_text()[-2_000:]}")
            yield Server(process.pid, int(line.rsplit(":", 1)[1]))
        finally:
            process.terminate()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def asked(server: Server, bodies: Sequence[str], connections: int, seconds: float) -> Way:
    """Put load on a server, and return the seconds and the CPU of one request; raises AssertionError for errors."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(bodies))
        file.flush()
        before = server.cpu()
        result = _load(server, file.name, connections, seconds)
        spent = server.cpu() - before
    count = result["requests"]
    assert set(result["statuses"]) == {"200"}, f"other statuses than 200: {result['statuses']}"
    facts = {
        "p50, ms": 1e3 * result["p50"],
        "p99, ms": 1e3 * result["p99"],
        "requests a second": count / seconds,
        "degraded": result["degraded"],
    }
    return Way([result["mean"]], [spent / count], facts)


def _load(server: Server, bodies: str, connections: int, seconds: float) -> dict[str, Any]:
    arguments = [str(server.port), bodies, str(connections), str(seconds), "--core", str(LOAD_CORE)]
    arguments += ["--path", server.path]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
