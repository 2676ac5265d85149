"""Event log: events of persons into state and journal, answers into the journal, and the deletion of a person."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import secrets
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hybridrec_server.journal.base import ServedRecord
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.base import Busy, Event, StateStore, Written

T = TypeVar("T")
LONGEST_KEY = 2_000
"""The most bytes of the ids of a person and an event together; PostgreSQL has no longer keys."""
POLL = 1.0
"""Seconds between two looks for requests to forget a person."""
logger = logging.getLogger(__name__)


class Forgotten(NamedTuple):
    """Numbers of rows that were deleted with a person: in the state, and in each table of the log."""

    state: int
    exposures: int = 0
    events: int = 0


class EventLog:
    """State and journal of a server, behind one front.

    An event is acknowledged once it is committed to the state and written to the journal. Without a journal there is
    the state alone.
    """

    def __init__(self, state: StateStore, journal: FileJournal | None = None) -> None:
        """Join a state and a journal, which `start` opens."""
        self.state = state
        self.journal = journal
        self._under_way: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open state and journal; raises ConfigError if one of them cannot be opened."""
        await self.state.start()
        if self.journal is None:
            return
        try:
            await self.journal.start()
        except BaseException:
            await self.state.stop()
            raise
        self._watch = asyncio.create_task(self._attend_requests(self.journal.folder))

    async def stop(self) -> None:
        """Finish what was begun, and close state and journal."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self.state.stop()
        if self.journal is not None:
            await self.journal.stop()

    async def read(self, units: Sequence[str]) -> dict[str, list[Event]]:
        """Return the recent events of these persons, oldest first; who has none is left out. Raises Busy."""
        return await self.state.read(units)

    async def write(self, events: Sequence[Event]) -> Written:
        """Write events; return once they are committed to the state and written to the journal.

        Where the client goes away meanwhile they are written to the end. Raises Busy, also if the journal cannot be
        written and is to refuse then, and ValueError, with what would be right, for an event that cannot be stored.
        """
        for event in events:
            _check(event)
        if self.journal is not None and self.journal.refuses:
            raise Busy("the log cannot be written: the disk is full or broken")
        return await self._to_the_end(self._write(events))

    async def _write(self, events: Sequence[Event]) -> Written:
        written = await self.state.write(events)
        if self.journal is not None:
            # Repeated ones, too: the server may have been killed between its state and its journal. Who reads the log
            # takes an event once.
            kept = await self.journal.append_events(events)
            if self.journal.refuses or (self.journal.options.on_full == "refuse" and not kept):
                raise Busy("the log cannot be written: the disk is full or broken")
        return written

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        """Take answers that are about to be sent; never waits. Raises JournalFull as the journal does."""
        if self.journal is not None:
            self.journal.append_answers(records)

    async def forget(self, unit: str) -> Forgotten:
        """Delete a person from state, journal and Parquet files; return the numbers of rows.

        What the person does meanwhile may stay. Raises Busy, and OSError if the log cannot be rewritten.
        """
        return await self._to_the_end(self._forget(unit))

    async def _forget(self, unit: str) -> Forgotten:
        # State and journal do what they are given in its order: a write that began before is there, and deleted.
        number = await self.state.forget(unit)
        if self.journal is None:
            return Forgotten(number)
        rotated = await self.journal.rotate(forget=unit)
        return Forgotten(number, rotated["exposures"], rotated["events"])

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work that goes on if who awaits it is cancelled."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _attend_requests(self, folder: LogFolder) -> None:
        """Carry out the requests of `request_to_forget`."""
        while True:
            requests: list[Path] = []
            with suppress(OSError):
                requests = await asyncio.to_thread(_requests, folder)
            for path in requests:
                try:
                    unit = json.loads(path.read_bytes())["forget"]
                    done = await self.forget(unit)
                    path.with_suffix(".done").write_text(json.dumps(done._asdict()))
                    path.unlink()
                except Exception as error:  # of any database: the other requests do not wait for this one
                    logger.error("a request to forget a person waits: %s", error)
            await asyncio.sleep(POLL)


def request_to_forget(folder: LogFolder, unit: str) -> Path:
    """Leave a request for the server that appends to a log; return the path of the file where it will answer."""
    name = secrets.token_hex(8)
    partial = folder.requests / f".{name}"
    partial.touch(0o600)
    partial.write_text(json.dumps({"forget": unit}))
    partial.rename(folder.requests / f"{name}.json")
    return folder.requests / f"{name}.done"


def _requests(folder: LogFolder) -> list[Path]:
    return sorted(folder.requests.glob("*.json"))


def _check(event: Event) -> None:
    """Raise ValueError for an event that a database or the journal would refuse: it would cost others of its group."""
    for name in ("id", "unit", "item", "kind", "request"):
        text = getattr(event, name)
        if text is None and name == "request":
            continue
        if not text or "\0" in text:
            raise ValueError(f"`{name}` is {text!r}; right is text without the null character")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"`{name}` has half of a surrogate pair, which is not a character") from None
    for name in ("time", "received", "value"):
        number = getattr(event, name)
        if number is not None and not math.isfinite(number):
            raise ValueError(f"`{name}` is {number}; right is a finite number")
    if (size := len(event.unit.encode()) + len(event.id.encode())) > LONGEST_KEY:
        raise ValueError(f"the ids of person and event have {size:,} bytes; right is at most {LONGEST_KEY:,}")
