"""Blocks of queries: as many at once as the memory budget allows."""

from __future__ import annotations

import numpy as np

from hybridrec.data.queries import QueryBatch
from hybridrec.types import ITEMS

BYTES_PER_SCORE = 24
"""Peak bytes of a block per query and id of the vocabulary: dense scores and the temporaries of selection."""
BLOCK_ROWS = (16, 1024)
"""Smallest and largest number of queries in a block."""


def blocks(queries: QueryBatch, workers: int, memory: int) -> list[slice]:
    """Return slices of the queries, so large that `workers` blocks at once fit into a quarter of the memory budget."""
    width = max(*map(queries.width, (ITEMS, *queries.entities)), 1)
    rows = int(np.clip(memory // (4 * workers * width * BYTES_PER_SCORE), *BLOCK_ROWS))
    return [slice(start, start + rows) for start in range(0, max(len(queries), 1), rows)]
