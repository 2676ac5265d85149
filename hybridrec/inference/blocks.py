"""Blocks of queries, each as large as the memory budget allows."""

from __future__ import annotations

from hybridrec.data.queries import QueryBatch
from hybridrec.types import ITEMS

BYTES_PER_SCORE = 24
"""Peak memory of a block in bytes, for each pair of a query and an id: dense scores, and temporary arrays."""
BLOCK_ROWS = (16, 1024)
"""Smallest and largest number of queries in a block."""


def blocks(queries: QueryBatch, workers: int, memory: int) -> list[slice]:
    """Return slices that cut the queries into blocks.

    Blocks are as large as possible, so that `workers` blocks at the same time fit into a quarter of `memory` (bytes),
    but always within `BLOCK_ROWS`.
    """
    width = max(*map(queries.width, (ITEMS, *queries.entities)), 1)
    least, most = BLOCK_ROWS
    rows = min(max(memory // (4 * workers * width * BYTES_PER_SCORE), least), most)
    return [slice(start, start + rows) for start in range(0, max(len(queries), 1), rows)]
