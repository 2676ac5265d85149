"""Events of persons, the protocol of state stores, and that of the databases under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]
"""FULL: an acknowledged event survives a power cut. NORMAL: it survives a kill of the server, but a power cut may lose
the last ones."""


class Event(NamedTuple):
    """Something that a person did.

    id: name of the event, unique among those of the person; a second event of the same name changes nothing
    unit: the person or session, the `user` of requests
    time, received: seconds since 1970, by the client and by the server
    request: name of the request whose answer it follows
    """

    id: str
    unit: str
    item: str
    kind: str
    time: float
    received: float
    value: float | None = None
    request: str | None = None


class Written(NamedTuple):
    """The outcome of a write.

    new: for each event in its order, True if it was written and False if an event of its id was there before
    """

    new: tuple[bool, ...]

    @property
    def accepted(self) -> int:
        """The number of new events."""
        return sum(self.new)

    @property
    def repeated(self) -> int:
        """The number of events that were there before."""
        return len(self.new) - sum(self.new)


class Busy(Exception):  # noqa: N818
    """The error for a database that cannot be used now: locked, full or gone; 503, and the client tries again.

    retry_after: seconds after which another try is worth while
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        """Set the message and the seconds to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class StateStore(Protocol):
    """A store of the recent events of each person, bounded in number and age."""

    async def start(self) -> None:
        """Open the database and start the writer; raises ConfigError if it cannot be opened."""

    async def stop(self) -> None:
        """Write what was accepted, and close the database."""

    async def read(self, units: Sequence[str]) -> dict[str, list[Event]]:
        """Return the recent events of these persons, oldest first, by one indexed query; who has none is left out.

        Raises Busy.
        """

    async def write(self, events: Sequence[Event]) -> Written:
        """Write events in a transaction that many calls may share; return after its commit.

        Raises Busy; whoever repeats the call under the same ids then stores no event twice.
        """

    async def forget(self, unit: str) -> int:
        """Delete all events of a person; return their number. Raises Busy."""


class StateLimits(NamedTuple):
    """Bounds of the table of events."""

    per_unit: int = 200
    """Events that are kept of a person: the newest ones."""
    days: float = 30
    """Days after which an event is deleted, counted from its arrival."""
    wait: float = 2.0
    """Seconds for which a busy database is waited for."""


class Database(Protocol):
    """Connection to the table of events; all methods block, and raise Busy if the database stays unusable."""

    def insert(self, events: Sequence[Event]) -> list[bool]:
        """Store events in one transaction; return for each if it is new."""

    def select(self, units: Sequence[str]) -> list[tuple[str | float | None, ...]]:
        """Return the recent events of persons as rows, those of one together, from the oldest to the newest."""

    def delete(self, unit: str) -> int:
        """Delete all events of a person, and return their number."""

    def expire(self, after: str) -> str | None:
        """Delete the old events of some persons that follow `after`; return the last of these, None at the end.

        Few at a time, so that writes in between do not wait for a walk through the whole table.
        """

    def close(self) -> None:
        """Close the connection."""
