"""A sparse matrix survives the way into arrays and back."""

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import pack_csr, unpack_csr, valued


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
