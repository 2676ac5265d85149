"""A sparse matrix survives the way into arrays and back."""

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import pack_csr, unpack_csr


def test_a_packed_matrix_comes_back_in_shape_type_and_values():
    matrix = csr_matrix(np.array([[0, 1.5, 0], [0, 0, 0]], np.float32))
    packed = pack_csr(matrix, "m")
    assert all(isinstance(array, np.ndarray) for array in packed.values())
    back = unpack_csr(packed | pack_csr(csr_matrix((0, 0)), "other"), "m")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())
