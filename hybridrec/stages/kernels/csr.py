"""Rows of csr matrices: the row of each entry, the largest entries, sums, and products with another matrix."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.sparse import make_csr
from hybridrec.types import Bools, Floats, Ints, Sparse

_MANY = 1 << 16
"""Number of entries from which a pass over all columns is faster than a search for each entry."""
_ENTRIES = 1 << 17
"""Products of entries held at once: with their places they stay in the processor's cache."""


def csr_rows(matrix: Sparse) -> Ints:
    """Return the row of each stored entry of a csr matrix: int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def strongest(matrix: Sparse, k: int) -> Sparse:
    """Return a csr matrix with only the k largest stored entries of each row of `matrix`.

    Of equal entries those in lower columns are kept. The entries of a row are in column order.
    """
    rows = csr_rows(matrix)
    # Rows stay where they are in this order, so an entry's position minus the row's start is its rank in the row.
    by_value = np.lexsort((matrix.indices, -matrix.data, rows))
    places = np.arange(len(rows)) - matrix.indptr[rows]
    kept = np.sort(by_value[places < k])
    indptr = np.concatenate(([0], np.cumsum(np.minimum(np.diff(matrix.indptr), k))))
    result = csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)
    result.sort_indices()
    return result


def row_sums(matrix: Sparse) -> Floats:
    """Return the sum of the stored entries of each row of a csr matrix [R, C]: [R], in the type of the entries.

    The sums are equal, bit for bit, to those of `matrix.sum(axis=1)`, which is slower on the small matrices of queries.
    """
    sums = np.zeros(matrix.shape[0], matrix.data.dtype)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if len(filled):
        sums[filled] = np.add.reduceat(matrix.data[: matrix.indptr[-1]], matrix.indptr[filled])
    return sums


def take_columns(matrix: Sparse, ids: Ints) -> Sparse:
    """Return the columns `ids` of a csr matrix [R, C]: csr [R, n], the same as `matrix[:, ids]`.

    `ids`, int32 [n], are ascending and distinct. If the matrix has few entries, as matrices of queries do, a binary
    search for each entry replaces the slower pass over all C columns.
    """
    if len(matrix.indices) > _MANY or not len(ids):
        return matrix[:, ids]
    columns = np.minimum(np.searchsorted(ids, matrix.indices), len(ids) - 1).astype(np.int32)
    return _where(
        make_csr(matrix.data, columns, matrix.indptr, (matrix.shape[0], len(ids))), ids[columns] == matrix.indices
    )


def vector_sums(rows: Sparse, vectors: Floats) -> Floats:
    """Return the product of `rows`, csr [Q, C], and `vectors`, [C, D], in which vectors of NaN count as zero.

    The result, float32 [Q, D], has for each row the sum of the vectors of its stored columns, each times the value that
    is stored there.
    """
    is_number = ~np.isnan(vectors[rows.indices, 0])
    return (rows if is_number.all() else _where(rows, is_number)) @ vectors


def _where(matrix: Sparse, kept: Bools) -> Sparse:
    """Return a csr matrix with only those stored entries at which `kept`, bool [nnz], is true."""
    indptr = np.concatenate(([0], np.cumsum(kept)))[matrix.indptr]
    return make_csr(matrix.data[kept], matrix.indices[kept], indptr, matrix.shape)


def dense_product(rows: Sparse, matrix: Sparse) -> Floats:
    """Return the product of `rows`, csr [Q, C], and `matrix`, csr [C, N], as an array [Q, N], not a sparse matrix.

    The array has the wider of the two types. It is equal, bit for bit, to `(rows @ matrix).toarray()`, since products
    are added in the order in which `rows` stores its entries. This function takes half the time, as no sparse result is
    made first. A `matrix` that is mapped from a file is not copied.
    """
    starts = matrix.indptr[rows.indices]
    lengths = matrix.indptr[rows.indices + 1] - starts
    ends = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    result = np.zeros((rows.shape[0], matrix.shape[1]), np.result_type(rows.data, matrix.data))
    first = 0
    while first < rows.shape[0]:
        begin = rows.indptr[first]
        # As many rows as have `_ENTRIES` products, at least one.
        reach = np.searchsorted(ends[rows.indptr[first + 1 :]], ends[begin] + _ENTRIES, side="right")
        last = first + max(int(reach), 1)
        stored = slice(begin, rows.indptr[last])
        each = lengths[stored]
        places = np.arange(ends[begin], ends[rows.indptr[last]]) + np.repeat(starts[stored] - ends[stored], each)
        products = matrix.data[places] * np.repeat(rows.data[stored], each)
        into = matrix.indices[places]
        if last > first + 1:
            row = np.repeat(np.arange(last - first), np.diff(rows.indptr[first : last + 1]))
            into = into + np.repeat(row * matrix.shape[1], each)
        np.add.at(result[first:last].reshape(-1), into, products)
        first = last
    return result
