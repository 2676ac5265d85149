"""Events a second that the state of the server takes, by database and by number of servers that share it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import ROOT, Way, Work
from hybridrec_server.event_log import EventLog
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.base import Event, Synchronous
from hybridrec_server.state.store import open_state

POSTGRES = "EVENTS_POSTGRES"
"""Environment variable with the address of an empty PostgreSQL database; without it PostgreSQL is left out."""
PEOPLE, RECENT = 20_000, 64
"""Persons who act, and clients of each server that wait for their acknowledgements at the same time."""
BATCH, PAUSE = 32, 0.01
"""Persons whose events a reader asks for at once, and seconds between two of its questions."""


class Setting(NamedTuple):
    """Database under measurement."""

    name: str
    synchronous: Synchronous
    address: str | None
    """None for a file of SQLite."""
    journal: bool = False


def events(quick: bool) -> list[Work]:
    """Write events, one in a request, by 64 clients of each of 1, 2 and 4 servers of one state, beside a reader."""
    settings = [
        Setting("SQLite, FULL", "FULL", None),
        Setting("SQLite, FULL, and journal", "FULL", None, journal=True),
        Setting("SQLite, NORMAL", "NORMAL", None),
    ]
    if address := os.environ.get(POSTGRES):
        settings.append(Setting("PostgreSQL, FULL", "FULL", address))
    seconds = 0.3 if quick else 5.0
    return [_work(servers, settings, seconds) for servers in ((1,) if quick else (1, 2, 4))]


def _work(servers: int, settings: list[Setting], seconds: float) -> Work:
    ways = {}
    for setting in settings:
        with tempfile.TemporaryDirectory(dir=os.environ.get("EVENTS_FOLDER")) as folder:
            ways[setting.name] = _measured(servers, setting, seconds, Path(folder))
    work = Work(f"events from {servers} server{'s' * (servers > 1)}", "event", 1, ways)
    work.note("load average at the end", os.getloadavg()[0])
    return work


def _measured(servers: int, setting: Setting, seconds: float, folder: Path) -> Way:
    """Run servers and a reader for some seconds, and return their joint rate as a way to store an event."""
    address = setting.address or str(folder / "state.db")
    commands = [
        [address, setting.synchronous, str(seconds), str(folder / f"log{n}") if setting.journal else ""]
        for n in range(servers)
    ]
    processes = [_started("write", *command) for command in commands]
    processes.append(_started("read", *commands[0]))
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    begin = time.time() + 0.1
    *written, read = [_told(process) for process in [_begun(process, begin) for process in processes]]
    number = sum(told["events"] for told in written)
    facts = {
        "events a second": number / seconds,
        "99 % of writes within, ms": float(np.percentile(np.concatenate([told["latencies"] for told in written]), 99)),
        "events in a commit": number / max(sum(told["commits"] for told in written), 1),
        f"99 % of reads of {BATCH} persons within, ms": float(np.percentile(read["latencies"], 99)),
        "busy": sum(told["busy"] for told in written),
    }
    return Way([seconds / number], [sum(told["cpu"] for told in written) / number], facts)


def _started(role: str, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.events", role, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )


def _begun(process: subprocess.Popen[str], begin: float) -> subprocess.Popen[str]:
    assert process.stdin is not None
    process.stdin.write(f"{begin}\n")
    process.stdin.flush()
    return process


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a process of the measurement failed; its error is above")
    return json.loads(output)


async def _write(address: str, synchronous: Synchronous, seconds: float, log: str) -> dict[str, Any]:
    """Write events from `RECENT` clients until the time is over."""
    from hybridrec_server.state.base import Busy

    rng = np.random.default_rng(os.getpid())
    people = iter(rng.integers(PEOPLE, size=1 << 20).tolist())
    store = open_state(address, synchronous=synchronous)
    events = EventLog(store, FileJournal(Path(log)) if log else None)
    await events.start()
    latencies: list[float] = []
    busy, numbers = 0, count()
    begin = _wait()
    used, commits = time.process_time(), store.commits

    async def client() -> None:
        nonlocal busy
        while (now := time.time()) < begin + seconds:
            number = next(numbers)
            event = Event(f"{os.getpid()}-{number}", f"p{next(people)}", f"i{number % 5000}", "play", now, now)
            started = time.perf_counter()
            try:
                await events.write([event])
            except Busy:
                busy += 1
                continue
            latencies.append((time.perf_counter() - started) * 1e3)

    await asyncio.gather(*(client() for _ in range(RECENT)))
    told = {
        "events": len(latencies),
        "latencies": latencies,
        "commits": store.commits - commits,
        "cpu": time.process_time() - used,
        "busy": busy,
    }
    await events.stop()
    return told


async def _read(address: str, synchronous: Synchronous, seconds: float, log: str) -> dict[str, Any]:
    """Read the events of batches of persons until the time is over."""
    rng = np.random.default_rng(0)
    store = open_state(address, synchronous=synchronous)
    await store.start()
    latencies = []
    begin = _wait()
    for _ in _until(begin + seconds):
        people = [f"p{person}" for person in rng.integers(PEOPLE, size=BATCH)]
        started = time.perf_counter()
        await store.read(people)
        latencies.append((time.perf_counter() - started) * 1e3)
        await asyncio.sleep(PAUSE)
    await store.stop()
    return {"latencies": latencies}


def _wait() -> float:
    """Print that this process is ready, wait for the time at which all begin, and return it."""
    print("ready", flush=True)
    begin = float(sys.stdin.readline())
    time.sleep(max(begin - time.time(), 0))
    return begin


def _until(end: float) -> Iterator[None]:
    while time.time() < end:
        yield


if __name__ == "__main__":
    role, address, synchronous, seconds, log = sys.argv[1:]
    work = _write if role == "write" else _read
    print(json.dumps(asyncio.run(work(address, synchronous, float(seconds), log))))  # type: ignore[arg-type]
