"""Draws: as even as chance, and the same whenever they are asked for."""

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.stages import kernels


def test_draws_are_uniform_and_depend_on_the_seed_the_row_and_the_column_alone():
    rows = csr_matrix(np.random.default_rng(0).random((400, 300)) < 0.05, dtype=np.float32)
    drawn = kernels.draws(rows, 3)
    assert drawn.dtype == np.float32
    assert ((drawn >= 0) & (drawn < 1)).all()
    counts = np.histogram(drawn, bins=10, range=(0, 1))[0] / drawn.size
    np.testing.assert_allclose(counts, 0.1, atol=0.01)
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(kernels.draws(rows[7:9], 3), drawn[7:9])
    assert (kernels.draws(rows, 4) != drawn).mean() > 0.99
