"""The protocol of state stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person did.

    id: name of the event, unique; a second event of the same name changes nothing
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


@dataclass(frozen=True, slots=True)
class Written:
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
    """The error for a database that did not take a write in time: 503, and the client tries again.

    retry_after: seconds after which another try is worth while
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        """Set the message and the seconds to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class StateStore(Protocol):
    """A store of the recent events of each person, bounded in number and age."""

    async def start(self) -> None:
        """Open the database and start the writer; raises ConfigError or DataError if it cannot be opened."""

    async def stop(self) -> None:
        """Write what was accepted, and close the database."""

    async def read(self, units: Sequence[str]) -> dict[str, list[Event]]:
        """Return the recent events of each of these persons, oldest first, by one indexed query."""

    async def write(self, events: Sequence[Event]) -> Written:
        """Write events in a transaction that many calls may share; return after its commit. Raises Busy."""

    async def forget(self, unit: str) -> int:
        """Delete all events of a person; return their number."""
