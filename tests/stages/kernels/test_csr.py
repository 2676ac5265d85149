"""Rows of sparse matrices, their sums and products, against dense ones and those of scipy."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.stages import kernels
from hybridrec.stages.kernels import csr


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


def drawn(rows, columns, dtype=np.float32, seed=0):
    """Draw a csr matrix with empty rows, and values whose sums depend on their order."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((rows, columns)) < 0.3, rng.lognormal(0, 4, (rows, columns)), 0)
    dense[rows // 2] = 0
    return csr_matrix(dense.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_rows_are_those_of_scipy_bit_for_bit(dtype):
    matrix = drawn(30, 200, dtype)
    sums = kernels.row_sums(matrix)
    assert sums.dtype == dtype
    assert sums.tobytes() == np.asarray(matrix.sum(axis=1)).tobytes()
    assert kernels.row_sums(csr_matrix((3, 5), dtype=dtype)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("entries", [1, 40, 1 << 17])  # the most products at once: a row at a time, some, all
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, 25])
def test_a_dense_product_is_that_of_scipy_bit_for_bit(rows, dtype, entries, monkeypatch):
    monkeypatch.setattr(csr, "_ENTRIES", entries)
    left, right = drawn(rows + 1, 40, dtype)[:rows], drawn(40, 60, seed=1)
    product, wanted = kernels.dense_product(left, right), (left @ right).toarray()
    assert product.dtype == wanted.dtype
    assert product.tobytes() == wanted.tobytes()


def test_a_dense_product_without_entries_is_zero():
    empty = csr_matrix((2, 40), dtype=np.float32)
    assert not kernels.dense_product(empty, drawn(40, 60)).any()
    assert kernels.dense_product(csr_matrix((0, 40), dtype=np.float32), drawn(40, 60)).shape == (0, 60)


@pytest.mark.parametrize("many", [0, 1 << 16])
def test_columns_are_taken_as_by_scipy(many, monkeypatch):
    monkeypatch.setattr(csr, "_MANY", many)
    matrix = drawn(20, 40)
    for ids in (np.arange(40), np.arange(0, 40, 3), np.array([39]), np.empty(0, np.int32)):
        taken, wanted = kernels.take_columns(matrix, ids.astype(np.int32)), matrix[:, ids]
        assert taken.shape == wanted.shape
        assert taken.indptr.tolist() == wanted.indptr.tolist()
        assert taken.indices.tolist() == wanted.indices.tolist()
        assert taken.data.tobytes() == wanted.data.tobytes()


def test_sums_of_vectors_leave_out_those_of_nan():
    rows, vectors = drawn(10, 40), np.random.default_rng(2).standard_normal((40, 5)).astype(np.float32)
    assert kernels.vector_sums(rows, vectors).tobytes() == (rows @ vectors).tobytes()
    vectors[::3] = np.nan
    assert kernels.vector_sums(rows, vectors).tobytes() == (rows @ np.nan_to_num(vectors)).tobytes()
