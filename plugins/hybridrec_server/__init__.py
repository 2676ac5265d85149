"""The HTTP server of a bundle, and what is learned from its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command

    from hybridrec import Reader


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`serve` answers requests over HTTP, `api-key` makes a key for it, `events` shows and cleans its log."""
    from hybridrec_server.command import api_key, serve
    from hybridrec_server.events_command import events

    return [serve, api_key, events]


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """`events`, a reader of the log of a server."""
    from hybridrec_server.journal.reader import EventsReader

    return [EventsReader]
