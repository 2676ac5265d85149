"""The same model behind three HTTP servers: ours, RecTools' in a thin server, and recotem's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import yaml

from benchmarks import peers, synthetic
from benchmarks.batch import ALONE, write_models
from benchmarks.serving import PLACES, SERVER_CORE, Server, asked, known_users, merged, served
from benchmarks.synthetic import Size
from benchmarks.timing import ROOT, Way, Work
from hybridrec import Tables, assemble, load

SIZE, QUICK_SIZE = Size(10_000, 10_000, 200_000), Size(120, 60, 2_400)
CONCURRENCY = (1, 64)
SECONDS, QUICK_SECONDS = 3.0, 0.5
"""Seconds of each run of the load."""
ROUNDS = 3
START = 120.0
"""The most seconds that a server may take to start."""
Bodies: TypeAlias = Callable[[str], dict[str, Any]]
"""A function from a user to the body of a request."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def serving_peers(quick: bool) -> list[Work]:
    """Time requests for users who are known: ALS served by hybridrec, by RecTools in a thin server, and by recotem."""
    size = QUICK_SIZE if quick else SIZE
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = folder / "als.hybridrec"
        write_models(bundle, assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"]))), ALONE)
        users = known_users(load(bundle))
        with served(bundle, folder, workers=1, core=SERVER_CORE, deadline="60") as server:
            _time(ways, "hybridrec", server, [json.dumps({"user": user, "n": PLACES}) for user in users], quick)
        for label, serve in (("RecTools in a thin server", _rectools), ("recotem", _recotem)):
            try:
                with serve(folder, pairs) as (server, bodies):
                    _time(ways, label, server, [json.dumps(bodies(user)) for user in users], quick)
            except peers.UnavailableError as error:
                print(f"{label} is left out: {error}", flush=True)
    work = Work(f"one request: als, {size.items:,} items, {PLACES} of them", "request", 1, ways, "CPU")
    ours = f"hybridrec, {CONCURRENCY[-1]} at a time"
    for way in ways:
        if way.endswith(f", {CONCURRENCY[-1]} at a time") and way != ours:
            work.ratio(ours, way)
    work.note("load average at the end", os.getloadavg()[0])
    return [work]


def _time(ways: dict[str, Way], label: str, server: Server, bodies: Sequence[str], quick: bool) -> None:
    """Time a server at each concurrency, and add it to `ways`."""
    seconds = QUICK_SECONDS if quick else SECONDS
    for connections in CONCURRENCY:
        asked(server, bodies, connections, seconds / 2)
        rounds = [asked(server, bodies, connections, seconds) for _ in range(1 if quick else ROUNDS)]
        ways[f"{label}, {connections} at a time"] = merged(rounds)


@contextmanager
def _rectools(folder: Path, pairs: Path) -> Iterator[tuple[Server, Bodies]]:
    """Serve ALS of RecTools by Starlette and uvicorn, as ours is."""
    python, port = peers.python("rectools-server"), _free_port()
    script = ROOT / "benchmarks" / "ways" / "serve_rectools.py"
    with _running(
        [str(python), "-W", "ignore", str(script), str(pairs), str(port)], folder, port, "/health"
    ) as process:
        yield Server(process, port), lambda user: {"user": user, "n": PLACES}


@contextmanager
def _recotem(folder: Path, pairs: Path) -> Iterator[tuple[Server, Bodies]]:
    """Train iALS by recotem, with one trial, and serve it by its own server."""
    python, port = peers.python("recotem"), _free_port()
    plays = folder / "plays.parquet"
    pl.read_parquet(pairs, columns=["user", "item"]).cast(pl.String).write_parquet(plays)
    recipe = {
        "name": "als",
        "source": {"type": "parquet", "path": str(plays)},
        "schema": {"user_column": "user", "item_column": "item"},
        "training": {"algorithms": ["IALS"], "metric": "ndcg", "n_trials": 1},
        "output": {"path": str(folder / "als.recotem")},
    }
    recipes = folder / "recipes"
    recipes.mkdir()
    (recipes / "als.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    environment = {"RECOTEM_SIGNING_KEYS": f"benchmark:{'0' * 64}"}
    recotem = [str(python), "-m", "recotem"]
    done = subprocess.run(
        [*recotem, "train", str(recipes / "als.yaml"), "--quiet"],
        env=os.environ | ONE_THREAD | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"recotem does not train: {done.stderr[-2_000:]}")
    command = [*recotem, "serve", "--recipes", str(recipes), "--port", str(port)]
    with _running(command, folder, port, "/v1/health", environment) as process:
        yield Server(process, port, "/v1/recipes/als:recommend"), lambda user: {"user_id": user, "limit": PLACES}


@contextmanager
def _running(
    command: Sequence[str], folder: Path, port: int, health: str, environment: dict[str, str] | None = None
) -> Iterator[int]:
    """Run a server on one core until the block ends, and yield its process id once it answers `health` with 200."""
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command],
            env=os.environ | ONE_THREAD | (environment or {}),
            stdout=output,
            stderr=output,
        )
        try:
            ends = time.monotonic() + START
            while not _answers(port, health):
                if process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"{command[2]} does not serve: {log.read_text()[-2_000:]}")
                time.sleep(0.2)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _free_port() -> int:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        port: int = unbound.getsockname()[1]
        return port
