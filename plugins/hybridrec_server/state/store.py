"""State store over a database: reads in threads of their own, writes in one thread that commits in groups."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from hybridrec import ConfigError, Secret
from hybridrec_server.state.base import Busy, Database, Event, StateLimits, Synchronous, Written
from hybridrec_server.state.postgres import PostgresDatabase
from hybridrec_server.state.sqlite import SqliteDatabase

LONGEST_WINDOW = 0.005
"""The most seconds for which a write waits for others that are committed with it."""
MOST_IN_GROUP = 5_000
"""Events of a group; a group that takes long would make its readers and writers wait."""
MOST_WAITING = 50_000
"""Events that wait for their commit; beyond them the store says Busy at once."""
EXPIRY = 3_600.0
"""Seconds between two walks through the table in search of old events."""
_UNIT = Event._fields.index("unit")
_IDLE = 1.0
"""Seconds without a write after which the writing thread looks for old events."""
POSTGRES = ("postgresql://", "postgres://")
"""Beginnings of the addresses of databases of PostgreSQL."""


class _Task(NamedTuple):
    """Work for the writing thread: events to store, or a call."""

    events: Sequence[Event]
    call: Callable[[], Any] | None
    done: asyncio.Future[Any]


class DatabaseStateStore:
    """State store over a database.

    The first write starts at once. While it is committed others gather, and are committed together; after a group of
    several the next one waits for `window` seconds, so that a commit, which takes milliseconds, serves more of them.
    """

    def __init__(self, connect: Callable[[], Database], *, window: float = 0.002, readers: int = 2) -> None:
        """Prepare a store; `connect` opens a connection for one thread.

        window: seconds, at most `LONGEST_WINDOW`
        """
        self._window = min(window, LONGEST_WINDOW)
        self._connect = connect
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._waiting = 0
        self._is_open = False
        self._expires, self._expired = 0.0, ""
        self._per_thread = threading.local()
        self._opened: list[Database] = []
        self._readers = ThreadPoolExecutor(readers, "state-reader")
        self.commits = 0
        """Groups that were committed."""

    async def start(self) -> None:
        """Open the database and start the writing thread; raises ConfigError if it cannot be opened."""
        self._database = await asyncio.get_running_loop().run_in_executor(None, self._connect)
        self._writer = threading.Thread(target=self._work, name="state-writer", daemon=True)
        self._writer.start()
        self._is_open = True

    async def stop(self) -> None:
        """Write what waits, and close the database."""
        if not self._is_open:
            return
        self._is_open = False
        self._tasks.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        for database in (self._database, *self._opened):
            database.close()

    async def read(self, units: Sequence[str]) -> dict[str, list[Event]]:
        """Return the recent events of units, oldest first: unit -> events; units without events are missing."""
        if not units:
            return {}
        rows = await asyncio.get_running_loop().run_in_executor(self._readers, self._select, list(units))
        return {str(unit): list(map(Event._make, events)) for unit, events in groupby(rows, key=itemgetter(_UNIT))}

    async def write(self, events: Sequence[Event]) -> Written:
        """Store events, and return once they are committed."""
        if not events:
            return Written(())
        if self._waiting + len(events) > MOST_WAITING:
            raise Busy(f"{self._waiting:,} events wait for their commit already")
        self._waiting += len(events)
        try:
            new = await self._submit(events, None)
        finally:
            self._waiting -= len(events)
        return Written(tuple(new))

    async def forget(self, unit: str) -> int:
        """Delete all events of a unit, and return their number."""
        return await self._submit((), lambda: self._database.delete(unit))

    def _submit(self, events: Sequence[Event], call: Callable[[], Any] | None) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self._is_open:
            raise Busy("the state store is closed: the server starts or stops")
        self._tasks.put(_Task(events, call, done))
        return done

    def _select(self, units: Sequence[str]) -> list[tuple[Any, ...]]:
        database: Database | None = getattr(self._per_thread, "database", None)
        if database is None:
            try:
                database = self._per_thread.database = self._connect()
            except ConfigError as error:
                raise Busy(str(error)) from None
            self._opened.append(database)
        return database.select(units)

    def _work(self) -> None:
        """Write groups of events until the store is closed."""
        size = 1
        ahead: _Task | None = None
        while True:
            task = ahead
            if task is None:
                try:
                    task = self._tasks.get(timeout=_IDLE)
                except queue.Empty:
                    self._expire()
                    continue
                if task is None:
                    return
            ahead, ends = None, False
            if task.call is not None:
                self._answer([(task, *_outcome(task.call))])
                continue
            group = [task]
            until = time.monotonic() + (self._window if size > 1 else 0.0)
            number = len(task.events)
            while number < MOST_IN_GROUP:
                try:
                    task = self._tasks.get_nowait()
                except queue.Empty:
                    # Not `get` with what is left: a SimpleQueue may take a limit of microseconds for none.
                    left = until - time.monotonic()
                    if left <= 0:
                        break
                    time.sleep(left)
                    continue
                if task is None:
                    ends = True
                    break
                if task.call is not None:
                    ahead = task  # calls and writes keep their order
                    break
                group.append(task)
                number += len(task.events)
            self._answer(self._commit(group))
            size = len(group)
            if ends:
                return
            self._expire()

    def _commit(self, group: Sequence[_Task]) -> list[tuple[_Task, Any, Exception | None]]:
        """Store the events of a group in one transaction; return (task, result, error) for each task.

        Where one write of several makes it fail, each is committed alone, so that it costs no other.
        """
        events = [event for task in group for event in task.events]
        new, error = _outcome(lambda: self._database.insert(events))
        self.commits += 1
        if error is not None:
            if isinstance(error, Busy) or len(group) == 1:
                return [(task, None, error) for task in group]
            return [outcome for task in group for outcome in self._commit([task])]
        outcomes: list[tuple[_Task, Any, Exception | None]] = []
        start = 0
        for task in group:
            outcomes.append((task, new[start : start + len(task.events)], None))
            start += len(task.events)
        return outcomes

    def _answer(self, outcomes: Sequence[tuple[_Task, Any, Exception | None]]) -> None:
        """Pass results to the event loops that wait for them."""
        for loop, ours in groupby(outcomes, key=lambda outcome: outcome[0].done.get_loop()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, list(ours))

    def _expire(self) -> None:
        """Delete the old events of some units, if the last walk through all of them is long enough ago."""
        if time.monotonic() < self._expires:
            return
        after, error = _outcome(lambda: self._database.expire(self._expired))
        if error is not None:
            self._expires = time.monotonic() + _IDLE  # a busy database has more urgent things to do
        elif after is None:
            self._expires, self._expired = time.monotonic() + EXPIRY, ""
        else:
            self._expired = after


def open_state(
    address: str, *, synchronous: Synchronous = "FULL", limits: StateLimits | None = None, window: float = 0.002
) -> DatabaseStateStore:
    """Return a store of the state at an address: `postgresql://...`, or the path of a file of SQLite, also as `sqlite:///path`.

    window: seconds for which a write waits for others after a group of several, at most `LONGEST_WINDOW`
    Raises ConfigError for another address.
    """
    bounds = limits or StateLimits()
    if address.startswith(POSTGRES):
        return DatabaseStateStore(lambda: PostgresDatabase(address, synchronous, bounds), window=window)
    if "://" in address and not address.startswith("sqlite:///"):
        raise ConfigError("state: right is postgresql://user:password@host/name, or the path of a file of SQLite")
    path = Path(address.removeprefix("sqlite:///"))
    return DatabaseStateStore(lambda: SqliteDatabase(path, synchronous, bounds), window=window)


def state_address(state: str, folder: Path) -> str | None:
    """Return the address of a state as settings name it; None for `none`.

    state: `sqlite` (a file in `folder`), an address, the path of a file, or `env:NAME` or `file:PATH` that holds one
    Raises ConfigError if the environment or the file does not hold one.
    """
    if state == "none":
        return None
    if state == "sqlite":
        return str(folder / "state.db")
    return Secret(state).reveal() if state.startswith(("env:", "file:")) else state


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except Exception as error:
        return None, error


def _resolve(outcomes: Sequence[tuple[_Task, Any, Exception | None]]) -> None:
    for task, result, error in outcomes:
        if task.done.cancelled():
            continue
        if error is None:
            task.done.set_result(result)
        else:
            task.done.set_exception(error)
