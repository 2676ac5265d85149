"""Inner products of candidates, against whole matrices and loops."""

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Exclude, kernels
from hybridrec.stages.kernels import products
from tests.stages.kernels.naive import INF, NAN, naive_top_k


def test_top_products_is_the_top_of_the_whole_product(monkeypatch):
    rng = np.random.default_rng(1)
    queries, vectors = (rng.integers(-2, 3, size=(rows, 8)).astype(np.float32) for rows in (150, 700))
    queries[7] = NAN
    barred = rng.random((150, 700)) < 0.2
    exclude = Exclude(csr_matrix(barred))
    monkeypatch.setattr(products, "_BUFFERED", 1)  # the smallest blocks
    ids, scores = kernels.top_products(queries, vectors, 30, exclude)
    wanted_ids, wanted_scores = naive_top_k(np.where(barred, -INF, queries @ vectors.T).astype(np.float32), 30)
    np.testing.assert_array_equal(ids, wanted_ids)
    np.testing.assert_array_equal(scores, wanted_scores)
    assert kernels.top_products(queries[:0], vectors, 30, exclude.take(slice(0)))[0].shape == (0, 30)


def test_pick_and_gather_dot_take_their_own_candidates(monkeypatch):
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((9, 5)).astype(np.float32)
    vectors = rng.standard_normal((30, 5)).astype(np.float32)
    queries[4] = NAN
    ids = rng.integers(-1, 30, (9, 12)).astype(np.int32)
    wanted = np.array([[NAN if i < 0 else queries[q] @ vectors[i] for i in row] for q, row in enumerate(ids)])
    for cached in (products._CACHED, 1, 130):
        monkeypatch.setattr(products, "_CACHED", cached)
        given = kernels.gather_dot(queries, vectors, ids)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)
    picked = kernels.pick(queries @ vectors.T, ids)
    assert picked.dtype == np.float32
    np.testing.assert_allclose(picked, wanted, rtol=1e-5, atol=1e-6)
    assert kernels.gather_dot(queries, vectors, ids[:, :0]).shape == (9, 0)
    assert kernels.gather_dot(queries[:0], vectors, ids[:0]).shape == (0, 12)


def test_cosines_are_missing_where_a_vector_is():
    vectors = np.array([[3, 4], [0, 0], [NAN, NAN], [-6, -8], [4, -3]], np.float32)
    cosines = kernels.cosines(vectors, vectors[0])
    assert cosines.dtype == np.float32
    np.testing.assert_allclose(cosines, [1, NAN, NAN, -1, 0], atol=1e-6)
    assert np.isnan(kernels.cosines(vectors, vectors[1])).all()
