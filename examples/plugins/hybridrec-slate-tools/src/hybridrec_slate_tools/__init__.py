"""Two kinds of plugins in one package: the command `hybridrec overlap` and the exporter `playlists`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    import click

    from hybridrec import Exporter

requires_api = "1.0"


@hookimpl
def hybridrec_commands() -> list[click.Command]:
    """Return the command `overlap`, imported only here so that listing plugins stays fast."""
    from hybridrec_slate_tools.overlap import overlap

    return [overlap]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """Return the exporter `playlists`."""
    from hybridrec_slate_tools.playlists import Playlists

    return [Playlists]
