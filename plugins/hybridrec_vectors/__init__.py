"""Commands for vectors of items: `reduce` shortens the vectors that readers take, `map` draws learned ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`map`, which draws items in a plane, and `reduce`, which makes short vectors of spectrograms or embeddings."""
    from hybridrec_vectors.drawing import map_items
    from hybridrec_vectors.reduction import reduce

    return [map_items, reduce]
