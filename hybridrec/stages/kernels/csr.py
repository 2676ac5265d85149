"""Rows of csr matrices: the row of each entry, and the largest entries of each row."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.types import Ints, Sparse


def csr_rows(matrix: Sparse) -> Ints:
    """Return the row of each stored entry of a csr matrix: int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def strongest(matrix: Sparse, k: int) -> Sparse:
    """Keep the k largest stored entries of each csr row, in column order; ties go to the lower column."""
    rows = csr_rows(matrix)
    # Rows stay where they are in this order, so an entry's position minus the row's start is its rank in the row.
    by_value = np.lexsort((matrix.indices, -matrix.data, rows))
    places = np.arange(len(rows)) - matrix.indptr[rows]
    kept = np.sort(by_value[places < k])
    indptr = np.concatenate(([0], np.cumsum(np.minimum(np.diff(matrix.indptr), k))))
    result = csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)
    result.sort_indices()
    return result
