"""Sparse matrices are made and joined as scipy does it, and survive the way into arrays and back."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack

from hybridrec import filled, make_csr, pack_csr, stack_columns, unpack_csr, valued
from hybridrec.data import sparse


def test_a_packed_matrix_comes_back_in_shape_type_and_values():
    matrix = csr_matrix(np.array([[0, 1.5, 0], [0, 0, 0]], np.float32))
    packed = pack_csr(matrix, "m")
    assert all(isinstance(array, np.ndarray) for array in packed.values())
    back = unpack_csr(packed | pack_csr(csr_matrix((0, 0)), "other"), "m")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())


def test_log_and_raw_weights_are_over_the_mean_of_their_row() -> None:
    weights = csr_matrix(np.array([[2, 4, 0], [0, 0, 9], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(valued(weights, "binary").toarray(), [[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(valued(weights, "raw").toarray(), [[2 / 3, 4 / 3, 0], [0, 0, 1], [0, 0, 0]])
    logs = np.log1p([2, 4])
    np.testing.assert_allclose(valued(weights, "log").toarray()[0, :2], logs / logs.mean(), rtol=1e-6)
    assert weights[0, 1] == 4, "the matrix given stays as it is"


def same(matrix: csr_matrix, other: csr_matrix) -> bool:
    """Return True if two matrices have equal arrays, types included."""
    arrays = zip(*((each.data, each.indices, each.indptr) for each in (matrix, other)), strict=True)
    return matrix.shape == other.shape and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)


def test_a_matrix_made_of_arrays_is_that_of_scipys_constructor() -> None:
    data, indices, indptr = np.ones(3, np.float32), np.array([0, 2, 1], np.int32), np.array([0, 2, 3])
    made, checked = make_csr(data, indices, indptr, (2, 4)), csr_matrix((data, indices, indptr), shape=(2, 4))
    assert same(made, checked)
    assert made.data is data
    assert same((made @ made.T.tocsr()).tocsr(), (checked @ checked.T.tocsr()).tocsr())
    made.sum_duplicates()
    assert made.has_canonical_format


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("many", [0, 1 << 16])
def test_columns_are_joined_as_by_scipy(rows: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_MANY", many)
    rng = np.random.default_rng(3)
    blocks = [
        csr_matrix(np.where(rng.random((rows, width)) < share, rng.random((rows, width)), 0), dtype=dtype)
        for width, share, dtype in ((5, 0.5, np.float32), (3, 0, np.float32), (0, 0, np.float32), (9, 0.9, np.float64))
    ]
    assert same(stack_columns(blocks), hstack(blocks, format="csr", dtype=np.float32))
    assert same(stack_columns(blocks[:1]), blocks[0])


def test_a_filled_matrix_has_arrays_of_its_own() -> None:
    matrix = csr_matrix(np.array([[0, 1.5, 0], [0, 0, 2]], np.float32))
    halves = filled(matrix, 0.5)
    assert halves.toarray().tolist() == [[0, 0.5, 0], [0, 0, 0.5]]
    halves.indices[0] = 2
    assert matrix.indices.tolist() == [1, 2]


def test_an_unpacked_matrix_shares_the_arrays_of_a_large_file():
    """The constructor of scipy would copy arrays that are a small part of a larger one."""
    matrix = csr_matrix(np.array([[1, 0, 2], [0, 3, 0]], np.float32))
    packed = pack_csr(matrix, "votes")
    whole = np.zeros(10_000, np.uint8)
    state, start = {}, 0
    for name, array in packed.items():
        whole[start : start + array.nbytes] = array.view(np.uint8)
        state[name] = whole[start : start + array.nbytes].view(array.dtype)
        start += -(-array.nbytes // 64) * 64
    unpacked = unpack_csr(state, "votes")
    assert np.shares_memory(unpacked.data, whole)
    assert np.shares_memory(unpacked.indices, whole)
    assert (unpacked != matrix).nnz == 0
