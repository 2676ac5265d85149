"""Vectors of items: made short before they are read, and drawn once they are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`map`: items in a plane; `reduce`: short vectors of spectrograms or embeddings."""
    from hybridrec_vectors.drawing import map_items
    from hybridrec_vectors.reduction import reduce

    return [map_items, reduce]
