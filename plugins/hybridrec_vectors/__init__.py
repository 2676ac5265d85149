"""Vectors of items: wide arrays made short before they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`reduce`: short vectors of spectrograms or embeddings."""
    from hybridrec_vectors.reduction import reduce

    return [reduce]
