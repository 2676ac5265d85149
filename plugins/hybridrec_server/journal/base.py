"""The protocol of journals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hybridrec_server.state.base import Event


@dataclass(frozen=True, slots=True)
class ServedRecord:
    """An answer that was sent, from which rows of the table `exposures` are made, one for each place.

    answer: the JSON of `schemas.Answer`
    unit: the `user` of the request, None for nobody
    time, received: seconds since 1970, by the client and by the server
    """

    answer: bytes
    unit: str | None
    time: float
    received: float


class JournalFull(Exception):  # noqa: N818
    """The error for a record that cannot be kept, where the setting asks to refuse rather than to lose: 503."""


class Journal(Protocol):
    """An append-only log of answers and events, written by a thread of its own."""

    async def start(self) -> None:
        """Open the folder, cut a torn tail and start the writer; raises WriteError if the folder cannot be written."""

    async def stop(self) -> None:
        """Write what was appended, and close the files."""

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        """Take answers that are about to be sent; never waits.

        What cannot be written is counted as lost. Raises JournalFull if the setting says so, and the disk is full.
        """

    def append_events(self, events: Sequence[Event]) -> None:
        """Take events that were committed to the state store; as `append_answers`."""
