"""The protocol of journals, their records, options, counts and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from hybridrec_server.state.base import Event, Synchronous

OnFull: TypeAlias = Literal["count", "refuse"]
"""Answer to a full disk: serving goes on and the losses are counted, or requests are refused until there is room."""


class ServedRecord(NamedTuple):
    """An answer that was sent, from which rows of the table `exposures` are made, one for each place.

    answer: the JSON of `schemas.Answer`
    unit: the `user` of the request, None for nobody
    time, received: seconds since 1970, by the client and by the server
    marginals: the probability that the id of each place is shown at all
    assignments: experiment -> arm of the unit
    segments: segmenter -> segment of the query
    """

    answer: bytes
    unit: str | None
    time: float
    received: float
    marginals: Sequence[float] | None = None
    assignments: Mapping[str, str] = {}
    segments: Mapping[str, str] = {}


class JournalFull(Exception):  # noqa: N818
    """The error for a record that cannot be kept, where the setting asks to refuse rather than to lose: 503."""


class JournalOptions(NamedTuple):
    """Options of a journal."""

    synchronous: Synchronous = "FULL"
    on_full: OnFull = "count"
    segment_bytes: int = 1 << 26
    """Size from which a file of the journal is rotated into Parquet."""
    segment_seconds: float = 3_600
    """Age from which it is."""
    days: float | None = None
    """Age from which Parquet files are deleted, counted from their newest row; None keeps all."""


@dataclass(slots=True)
class JournalCounts:
    """Numbers since the start of a journal."""

    written: int = 0
    """Records that are in the journal."""
    lost: int = 0
    """Records that are not: the disk was full or broken, or too many waited."""
    torn: int = 0
    """Bytes of a record that a kill left unfinished, cut at the start."""
    damaged: int = 0
    """Bytes that the disk lost or changed before rotation."""
    rotated: int = 0
    """Files that became Parquet files."""
    failed_rotations: int = 0
    """Rotations that failed; they are tried again."""


class Journal(Protocol):
    """An append-only log of answers and events, written by a thread of its own."""

    counts: JournalCounts
    is_full: bool
    """True while the last attempt to write failed."""

    async def start(self) -> None:
        """Open the folder, cut a torn tail and start the writer; raises ConfigError if that cannot be."""

    async def stop(self) -> None:
        """Write what was appended, and close the files."""

    @property
    def refuses(self) -> bool:
        """True if requests are to be refused, since nothing can be written and the setting says so."""

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        """Take answers that are about to be sent; never waits, and counts as lost what cannot be written.

        Raises JournalFull if the setting says so, and the disk is full.
        """

    def append_events(self, events: Sequence[Event]) -> asyncio.Future[bool]:
        """Take events that were committed to the state; the future says if they were written, or lost and counted."""

    async def rotate(self, forget: str | None = None) -> dict[str, int]:
        """Turn everything that was appended into Parquet, without the rows of a person if one is to be forgotten.

        Returns the numbers of `rotation.Rotated`. Raises OSError if that failed.
        """
