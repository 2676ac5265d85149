"""The search of long vectors first, against the top of the whole product."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Exclude, kernels
from hybridrec.stages.kernels import mips as longest
from hybridrec.stages.kernels.mips import Longest
from tests.stages.kernels.naive import NAN, naive_top_k


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pieces so small that a few hundred vectors make several, and batches of a few queries."""
    for name, size in {"_HEAD": 64, "_PIECE": 100, "_PRODUCTS": 640, "_ASKED": 1, "_PAYS": 1.0}.items():
        monkeypatch.setattr(longest, name, size)


def vectors_of(n, rng, power=1.5):
    """Small integers, so that products are exact and many tie; of lengths that fall."""
    vectors = rng.integers(-3, 4, size=(n, 6)).astype(np.float32)
    return vectors * np.float32(16) // (1 + rng.permutation(n) ** power * 0.01)[:, None].astype(np.float32)


def excluding(queries, n, rng):
    times = np.where(np.arange(queries) % 3, 5.0, NAN)
    rows, ids, released = csr_matrix(rng.random((queries, n)) < 0.1), rng.random(n) < 0.1, rng.random(n) * 6
    groups = rng.random((3, n)) < [[0.5], [0.93], [0.99]]  # of the last two few are left
    return Exclude(rows, ids, released, times, groups, rng.integers(-1, 3, queries).astype(np.int32))


def wanted(queries, vectors, exclude, k):
    scores = queries @ vectors.T
    exclude.mask(scores)
    return naive_top_k(scores, k)


@pytest.mark.parametrize("n", [256, 300, 700])
def test_finds_what_the_whole_product_finds(n):
    rng = np.random.default_rng(n)
    vectors, queries = vectors_of(n, rng), rng.integers(-2, 3, size=(20, 6)).astype(np.float32)
    queries[3], queries[4] = NAN, 0
    vectors[rng.random(n) < 0.1] = NAN
    exclude = excluding(20, n, rng)
    ids, scores = kernels.top_products(queries, vectors, 7, exclude, Longest.of(vectors))
    wanted_ids, wanted_scores = wanted(queries, vectors, exclude, 7)
    np.testing.assert_array_equal(ids, wanted_ids)
    np.testing.assert_array_equal(scores, wanted_scores)


def test_leaves_out_most_where_lengths_differ(monkeypatch):
    rng = np.random.default_rng(0)
    vectors, queries = vectors_of(2000, rng), rng.standard_normal((30, 6)).astype(np.float32)
    looked = []
    monkeypatch.setattr(longest, "multiplied", lambda q, v: (looked.append(len(q) * len(v)), q @ v.T)[1])
    Longest.of(vectors).search(queries, 5, Exclude())
    assert sum(looked) < 0.3 * len(queries) * len(vectors)


def test_goes_on_where_all_long_ones_are_excluded():
    rng = np.random.default_rng(2)
    vectors, queries = vectors_of(500, rng), rng.standard_normal((9, 6)).astype(np.float32)
    barred = np.zeros(500, bool)
    barred[Longest.of(vectors).order[:480]] = True
    ids, _ = kernels.top_products(queries, vectors, 8, Exclude(ids=barred), Longest.of(vectors))
    np.testing.assert_array_equal(ids, wanted(queries, vectors, Exclude(ids=barred), 8)[0])


def test_gives_way_to_the_whole_product_where_it_does_not_pay(monkeypatch):
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((400, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = rng.standard_normal((9, 6)).astype(np.float32)
    monkeypatch.setattr(longest, "_PAYS", 0.5)
    assert Longest.of(vectors).search(queries, 8, Exclude()) is None
    ids, _ = kernels.top_products(queries, vectors, 8, Exclude(), Longest.of(vectors))
    np.testing.assert_array_equal(ids, wanted(queries, vectors, Exclude(), 8)[0])


def test_is_for_many_vectors_and_few_wanted():
    vectors = np.ones((256, 2), np.float32)
    assert Longest.of(vectors[:255]) is None
    assert Longest.of(vectors).search(vectors[:3], 9, Exclude()) is None


def test_nobody_is_asked_in_vain():
    vectors = vectors_of(300, np.random.default_rng(4))
    assert Longest.of(vectors).search(vectors[:0], 3, Exclude()).shape == (0, 3)
    silent = np.full((4, 6), NAN, np.float32)
    ids, scores = kernels.top_products(silent, vectors, 3, Exclude(), Longest.of(vectors))
    assert (ids == -1).all()
    assert np.isnan(scores).all()


@pytest.mark.parametrize("queries", [1, 3])
def test_few_queries_give_up_after_the_longest_vectors_where_lengths_are_alike(queries, monkeypatch):
    """A search that needs nearly all vectors would copy them piece by piece."""
    monkeypatch.setattr(longest, "_PAYS", 0.5)
    monkeypatch.setattr(longest, "_ASKED", 16)
    rng = np.random.default_rng(1)
    vectors, asked = rng.standard_normal((600, 6)).astype(np.float32), rng.standard_normal((queries, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    looked = []
    monkeypatch.setattr(longest, "multiplied", lambda q, v: (looked.append(len(v)), q @ v.T)[1])
    assert Longest.of(vectors).search(asked.astype(np.float32), 5, Exclude()) is None
    assert looked == [64]
    of_different_lengths = Longest.of(vectors_of(600, rng))
    assert of_different_lengths.search(asked.astype(np.float32), 5, Exclude()) is not None
