"""Crash test of the event log: kills a process that writes events at seeded moments, and counts what it acknowledged.

    python -m tests.plugins.hybridrec_server.crash --kills 200

Clients of the killed process send again what was not acknowledged, as real ones do. After each kill every acknowledged
event must be in the state and in the log, once in each, and nothing may be there that nobody sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from hybridrec_server.event_log import EventLog
from hybridrec_server.journal.base import JournalOptions
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.tables import read_table
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.base import Event, StateLimits
from hybridrec_server.state.store import open_state

CLIENTS = 8
"""Clients that write at the same time."""
SEGMENT = 30_000
"""Bytes of a file of the journal, so few that rotations are killed, too."""
LIMITS = StateLimits(per_unit=1 << 30)


def event(number: int) -> Event:
    """Return an event that its number decides."""
    now = time.time()
    return Event(f"e{number}", f"person {number % 997}", f"item {number % 89}", "play", now, now)


async def write(folder: Path, state: str) -> None:
    """Write events until the process is killed; say on standard output what is sent (s) and acknowledged (a).

    Standard input has the numbers that were sent before and not acknowledged, and the first number that is free.
    """
    again, free = json.loads(sys.stdin.readline())
    log = EventLog(open_state(state, limits=LIMITS), FileJournal(folder / "log", JournalOptions(segment_bytes=SEGMENT)))
    await log.start()
    numbers = chain(again, count(free))

    async def client() -> None:
        for number in numbers:
            os.write(1, b"s%d\n" % number)
            await log.write([event(number)])
            os.write(1, b"a%d\n" % number)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def killed(folder: Path, state: str, delay: float, sent: set[int], acknowledged: set[int], groups: list[int]) -> bool:
    """Run `write` and kill it; note what was sent and acknowledged, and its process group.

    delay: seconds from its first word, or if they are negative, from its start
    Returns False if it ended by itself, which it must not.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "--write", str(folder), "--state", state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    groups.append(process.pid)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(left(sent, acknowledged))
    process.stdin.flush()
    said = hear(process.stdout.fileno(), delay)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read()  # the pipe keeps what was said before the kill
    process.communicate()
    note(said, sent, acknowledged)
    return alive


def end_groups(groups: list[int], log: Path) -> None:
    """End what is left of process groups, whose rotations write into a log, and forget the groups.

    Their leaders were killed, and nobody can wait for rotations, which hold a lock until they are gone.
    """
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    groups.clear()
    if log.exists():
        with LogFolder(log).locked("rotate", wait=True):
            pass


def left(sent: set[int], acknowledged: set[int]) -> bytes:
    """Return the line that `write` reads: what was sent and not acknowledged, and the first number that is free."""
    return json.dumps([sorted(sent - acknowledged), max(sent, default=0) + 1]).encode() + b"\n"


def hear(descriptor: int, delay: float) -> bytes:
    """Return the words of `write` in so many seconds, from its first word, or if they are negative, from now."""
    said = os.read(descriptor, 1) if delay > 0 else b""
    until = time.monotonic() + abs(delay)
    while (rest := until - time.monotonic()) > 0:
        if select.select([descriptor], [], [], rest)[0]:
            content = os.read(descriptor, 1 << 20)
            if not content:
                break
            said += content
    return said


def note(said: bytes, sent: set[int], acknowledged: set[int]) -> None:
    """Note what `write` has said; a line that is not whole was not said."""
    for line in said.split(b"\n")[:-1]:
        (sent if line[:1] == b"s" else acknowledged).add(int(line[1:]))


def check(folder: Path, state: str, sent: set[int], acknowledged: set[int]) -> None:
    """Raise AssertionError if an acknowledged event is missing or there twice, in the state or in the log."""

    async def read() -> list[str]:
        store = open_state(state, limits=LIMITS)
        await store.start()
        people = await store.read([f"person {number}" for number in range(997)])
        await store.stop()
        return [event.id for events in people.values() for event in events]

    log = LogFolder(folder / "log")
    ids = {
        "state": asyncio.run(read()),
        "log": read_table(log, "events")["event_id"].to_list() if (log.path / "log.json").exists() else [],
    }
    for place, there in ids.items():
        counted = Counter(there)
        missing = [number for number in acknowledged if f"e{number}" not in counted]
        assert not missing, (
            f"{place}: {len(missing)} of {len(acknowledged)} acknowledged events are lost: {missing[:5]}"
        )
        assert max(counted.values(), default=1) == 1, f"{place}: {counted.most_common(3)}"
        strangers = counted.keys() - {f"e{number}" for number in sent}
        assert not strangers, f"{place}: nobody sent {sorted(strangers)[:5]}"


def crash(folder: Path, kills: int, seed: int, state: str = "sqlite", checked_every: int = 1) -> tuple[int, int]:
    """Kill `kills` writers one after another; return the numbers of acknowledged events and of Parquet files."""
    rng = random.Random(seed)
    address = str(folder / "state.db") if state == "sqlite" else state
    sent: set[int] = set()
    acknowledged: set[int] = set()
    groups: list[int] = []
    try:
        for turn in range(1, kills + 1):
            delay = rng.uniform(0.0, 1.5) * (-1 if rng.random() < 0.2 else 1)
            assert killed(folder, address, delay, sent, acknowledged, groups), "the writer ended by itself"
            if turn % checked_every == 0 or turn == kills:
                check(folder, address, sent, acknowledged)
    finally:
        end_groups(groups, folder / "log")
    return len(acknowledged), len(LogFolder(folder / "log").parts("events"))


def main() -> None:
    """Kill as many writers as asked, and print what was counted."""
    parser = argparse.ArgumentParser(description="Crash test of the event log.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", default="sqlite", help="sqlite, or the address of an empty PostgreSQL database")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write is not None:
        asyncio.run(write(asked.write, asked.state))
        return
    with tempfile.TemporaryDirectory() as folder:
        events, files = crash(Path(folder), asked.kills, asked.seed, asked.state, checked_every=5)
    print(f"{asked.kills} kills, seed {asked.seed}, {files} Parquet files:", end=" ")
    print(f"all {events:,} acknowledged events are there once")


if __name__ == "__main__":
    main()
