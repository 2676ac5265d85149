"""Rows of sparse matrices, against dense ones."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.stages import kernels


def test_csr_rows():
    matrix = csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    assert kernels.csr_rows(matrix).tolist() == [0, 0, 2]


@pytest.mark.parametrize("k", [1, 3, 50])
def test_the_strongest_entries_of_sparse_rows(k):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((30, 20)) < 0.4, rng.integers(1, 5, (30, 20)), 0).astype(np.float32)
    wanted = np.zeros_like(dense)
    for row, values in enumerate(dense):
        best = sorted(np.flatnonzero(values), key=lambda column, values=values: (-values[column], column))[:k]
        wanted[row, best] = values[best]
    kept = kernels.strongest(csr_matrix(dense), k)
    assert np.array_equal(kept.toarray(), wanted)
    assert kept.nnz == (wanted > 0).sum()
    assert kept.has_sorted_indices


def test_the_strongest_need_no_order():
    matrix = csr_matrix((np.array([-9.0, -8.0, -2.0]), np.array([2, 1, 0]), np.array([0, 3, 3])), shape=(2, 3))
    assert kernels.strongest(matrix, 2).toarray().tolist() == [[-2, -8, 0], [0, 0, 0]]
