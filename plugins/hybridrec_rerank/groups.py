"""Groups of items with the same tag, for all tags or for the tags with a given prefix."""

from __future__ import annotations

import numpy as np

from hybridrec import PADDING, Dataset, Ints, Sparse


def counted(data: Dataset, prefix: str) -> Sparse:
    """Return the items' tags that begin with `prefix` (all if it is empty): csr float32 [I, G]."""
    chosen = np.char.startswith(np.array(data.vocabulary("tags").ids.to_list(), str), prefix)
    return data.item_matrix("tags")[:, np.flatnonzero(chosen)].tocsr()


def padded(matrix: Sparse) -> Ints:
    """Return the columns of the entries in each row of a csr: int32 [rows, m], padded with -1."""
    counts = np.diff(matrix.indptr)
    result = np.full((matrix.shape[0], max(int(counts.max(initial=0)), 1)), PADDING, np.int32)
    result[np.arange(result.shape[1]) < counts[:, None]] = matrix.indices
    return result
