"""The HTTP server of a bundle, and what is learned from its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command

    from hybridrec import Reader


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`events` forgets a person, rotates a log, and shows what is in it."""
    from hybridrec_server.events_command import events

    return [events]


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """`events`, a reader of the log of a server."""
    from hybridrec_server.journal.reader import EventsReader

    return [EventsReader]
