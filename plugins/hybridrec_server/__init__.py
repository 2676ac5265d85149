"""The HTTP server of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """No commands yet."""
    return []
