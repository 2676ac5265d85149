"""Every kernel against the plainest implementation of what it says."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import kernels
from hybridrec.evaluation.accuracy import Ndcg

NAN, INF = np.nan, np.inf


def rounded(seed, queries, n, decimals=1):
    """Scores with many ties, some -inf, NaN and both zeros, among them rows of nothing else."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((queries, n)).round(decimals).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = -INF
    scores[rng.random(scores.shape) < 0.1] = NAN
    scores[rng.random(scores.shape) < 0.1] = -0.0
    scores[:1], scores[1:2], scores[2:3] = NAN, -INF, 0.5
    return scores


def naive_order(row):
    return sorted(range(len(row)), key=lambda j: (math.isnan(row[j]), -row[j] if row[j] == row[j] else 0, j))


def naive_top_k(scores, k):
    ids, values = np.full((len(scores), k), -1, np.int32), np.full((len(scores), k), NAN, np.float32)
    for q, row in enumerate(scores.tolist()):
        chosen = [j for j in naive_order(row) if row[j] > -INF][:k]
        ids[q, : len(chosen)] = chosen
        values[q, : len(chosen)] = [row[j] for j in chosen]
    return ids, values


# Widths below and above the one from which columns are grouped, with and without a rest of the groups.
@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 3), (50, 50), (50, 80), (300, 8), (300, 1), (1003, 2), (4001, 20)])
@pytest.mark.parametrize("decimals", [0, 1, 4])
def test_top_k_is_the_start_of_the_sorted_row(n, k, decimals):
    scores = rounded(n, 12, n, decimals)
    before = scores.copy()
    ids, values = kernels.top_k(scores, k)
    assert (ids.dtype, values.dtype) == (np.int32, np.float32)
    wanted_ids, wanted_values = naive_top_k(scores, k)
    np.testing.assert_array_equal(ids, wanted_ids)
    np.testing.assert_array_equal(values, wanted_values)
    np.testing.assert_array_equal(scores, before)


def test_top_k_does_not_depend_on_the_rows_beside_it(monkeypatch):
    scores = rounded(3, 40, 2000, decimals=3)
    whole = kernels.top_k(scores, 10)
    monkeypatch.setattr(kernels, "_RANKED", 1)  # row by row
    np.testing.assert_array_equal(kernels.top_k(scores, 10)[0], whole[0])


@pytest.mark.parametrize(("n", "k"), [(4001, 20), (60_000, 100)])
def test_top_k_of_scores_that_all_differ(n, k):
    scores = np.random.default_rng(n).permuted(np.tile(np.arange(n, dtype=np.float32), (9, 1)), axis=1)
    scores[2, : n - 5] = -INF  # too few, in a row among others
    for block in (scores[:2], scores):
        ids, values = kernels.top_k(block, k)
        wanted_ids, wanted_values = naive_top_k(block, k)
        np.testing.assert_array_equal(ids, wanted_ids)
        np.testing.assert_array_equal(values, wanted_values)


def test_top_products_is_the_top_of_the_whole_product(monkeypatch):
    rng = np.random.default_rng(1)
    queries, vectors = (rng.integers(-2, 3, size=(rows, 8)).astype(np.float32) for rows in (150, 700))
    queries[7] = NAN
    barred = rng.random((150, 700)) < 0.2

    def mask(rows, scores):
        scores[barred[rows]] = -INF

    monkeypatch.setattr(kernels, "_BUFFERED", 1)  # the smallest blocks
    ids, scores = kernels.top_products(queries, vectors, 30, mask)
    wanted_ids, wanted_scores = naive_top_k(np.where(barred, -INF, queries @ vectors.T).astype(np.float32), 30)
    np.testing.assert_array_equal(ids, wanted_ids)
    np.testing.assert_array_equal(scores, wanted_scores)
    assert kernels.top_products(queries[:0], vectors, 30, mask)[0].shape == (0, 30)


def test_a_wide_row_with_less_than_k_is_padded():
    scores = np.full((2, 5000), -INF, np.float32)
    scores[0, [4999, 17]] = 1
    scores[1] = NAN
    ids, values = kernels.top_k(scores, 5)
    assert ids.tolist() == [[17, 4999, -1, -1, -1], [-1] * 5]
    assert values[0, :2].tolist() == [1, 1]
    assert np.isnan(values[0, 2:]).all()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_a_tie_of_everything_goes_to_the_lowest_ids(step):
    scores = np.zeros((3, 6000), np.float32)
    scores[:, ::step] = 1
    assert kernels.top_k(scores, 30)[0].tolist() == [list(range(0, 30 * step, step))] * 3


def test_extreme_scores_and_both_zeros_are_ordered():
    tiny = np.finfo(np.float32).smallest_subnormal
    row = np.array([[-INF, -0.0, 0.0, tiny, -tiny, 3e38, -3e38, NAN, -NAN, INF]], np.float32)
    assert kernels.order(row)[0].tolist() == [9, 5, 3, 1, 2, 4, 6, 0, 7, 8]


def test_top_k_takes_doubles_and_views():
    scores = rounded(0, 20, 300)
    wanted = kernels.top_k(scores, 9)[0]
    np.testing.assert_array_equal(kernels.top_k(scores.astype(np.float64), 9)[0], wanted)
    np.testing.assert_array_equal(kernels.top_k(np.asfortranarray(scores), 9)[0], wanted)
    np.testing.assert_array_equal(kernels.top_k(np.repeat(scores, 2, axis=1)[:, ::2], 9)[0], wanted)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0), (0, 9000)])
def test_nothing_in_nothing_out(shape):
    scores = np.empty(shape, np.float32)
    ids, values = kernels.top_k(scores, 4)
    assert ids.shape == values.shape == (shape[0], 4)
    assert (ids == -1).all()
    assert kernels.order(scores).shape == shape
    for normalise in (kernels.zscore, kernels.min_max, kernels.ranks):
        assert normalise(scores).shape == shape


@pytest.mark.parametrize("k", [1, 3, 50])
def test_the_strongest_entries_of_sparse_rows(k):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((30, 20)) < 0.4, rng.integers(1, 5, (30, 20)), 0).astype(np.float32)
    wanted = np.zeros_like(dense)
    for row, values in enumerate(dense):
        best = sorted(np.flatnonzero(values), key=lambda column, values=values: (-values[column], column))[:k]
        wanted[row, best] = values[best]
    found = kernels.strongest(csr_matrix(dense), k)
    assert np.array_equal(found.toarray(), wanted)
    assert found.nnz == (wanted > 0).sum()
    assert found.has_sorted_indices


def test_the_strongest_need_no_order():
    matrix = csr_matrix((np.array([-9.0, -8.0, -2.0]), np.array([2, 1, 0]), np.array([0, 3, 3])), shape=(2, 3))
    assert kernels.strongest(matrix, 2).toarray().tolist() == [[-2, -8, 0], [0, 0, 0]]


def test_order_is_a_stable_sort():
    scores = rounded(1, 30, 40)
    assert kernels.order(scores).tolist() == [naive_order(row) for row in scores.tolist()]
    assert kernels.order(scores).dtype == np.int32


@pytest.mark.parametrize("k", [0, 1, 12, 39, 40, 50])
def test_order_of_the_first_is_the_start_of_the_order(k, monkeypatch):
    scores = rounded(4, 30, 40)  # some rows have fewer scores than that
    whole = kernels.order(scores)
    monkeypatch.setattr(kernels, "_RANKED", 100)  # two rows at a time
    assert kernels.order(scores, k).tolist() == whole[:, :k].tolist()


def test_ranks_count_from_one_and_leave_nan():
    scores = rounded(2, 30, 40)
    ranks = kernels.ranks(scores)
    assert ranks.dtype == np.float32
    for row, given in zip(scores.tolist(), ranks.tolist(), strict=True):
        wanted = [NAN] * len(row)
        for place, j in enumerate(naive_order(row)):
            if not math.isnan(row[j]):
                wanted[j] = place + 1
        np.testing.assert_array_equal(given, wanted)


SPECIAL_ROWS = np.array(
    [[1, 2, 4, NAN], [NAN, NAN, NAN, NAN], [0.1, 0.1, 0.1, 0.1], [NAN, 7, NAN, NAN], [-5, 5, 0, 0]], np.float32
)


def test_zscore_row_by_row():
    rows = np.concatenate([SPECIAL_ROWS, np.random.default_rng(0).normal(1e4, 1, (5, 4)).astype(np.float32)])
    given = kernels.zscore(rows)
    assert given.dtype == np.float32
    for row, values in zip(rows.astype(np.float64), given, strict=True):
        known = row[~np.isnan(row)]
        spread = known.std() if len(known) else 0
        wanted = (row - known.mean()) / spread if spread else row * 0
        np.testing.assert_allclose(values, wanted, atol=1e-5)


def test_min_max_row_by_row():
    given = kernels.min_max(SPECIAL_ROWS)
    assert given.dtype == np.float32
    wanted = [[0, 1 / 3, 1, NAN], [NAN] * 4, [1] * 4, [NAN, 1, NAN, NAN], [0, 1, 0.5, 0.5]]
    np.testing.assert_allclose(given, wanted, rtol=1e-6)


def test_pick_and_gather_dot_take_their_own_candidates(monkeypatch):
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((9, 5)).astype(np.float32)
    vectors = rng.standard_normal((30, 5)).astype(np.float32)
    queries[4] = NAN
    ids = rng.integers(-1, 30, (9, 12)).astype(np.int32)
    wanted = np.array([[NAN if i < 0 else queries[q] @ vectors[i] for i in row] for q, row in enumerate(ids)])
    for cached in (kernels._CACHED, 1, 130):
        monkeypatch.setattr(kernels, "_CACHED", cached)
        given = kernels.gather_dot(queries, vectors, ids)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)
    picked = kernels.pick(queries @ vectors.T, ids)
    assert picked.dtype == np.float32
    np.testing.assert_allclose(picked, wanted, rtol=1e-5, atol=1e-6)
    assert kernels.gather_dot(queries, vectors, ids[:, :0]).shape == (9, 0)
    assert kernels.gather_dot(queries[:0], vectors, ids[:0]).shape == (0, 12)


def random_list(rng, queries, width, n):
    """Each id once a row, rows of different lengths, one of them empty."""
    ids = np.argsort(rng.random((queries, n)), axis=1)[:, :width].astype(np.int32)
    scores = rng.standard_normal((queries, width)).astype(np.float32)
    padding = np.arange(width) >= rng.integers(0, width + 1, queries)[:, None]
    padding[:1] = True
    ids[padding], scores[padding] = -1, NAN
    return ids, scores


@pytest.mark.parametrize(("queries", "lists", "width"), [(20, 1, 6), (20, 4, 8), (5, 64, 3), (20, 3, 15), (0, 2, 4)])
def test_merge_is_the_union_with_provenance(queries, lists, width):
    rng = np.random.default_rng(lists)
    parts = [random_list(rng, queries, width, 15) for _ in range(lists)]
    ids, sources, columns, ranks = kernels.merge(parts)
    arrays = (ids, sources, *columns, *ranks)
    assert [array.dtype for array in arrays] == [np.int32, np.uint64] + [np.float32] * (2 * lists)
    assert {array.shape for array in arrays} == {ids.shape}
    assert all(array.flags.c_contiguous for array in arrays)
    unions = [sorted({int(i) for part, _ in parts for i in part[q]} - {-1}) for q in range(queries)]
    assert ids.shape[1] == max(map(len, unions), default=0)
    for q, union in enumerate(unions):
        assert ids[q].tolist() == union + [-1] * (ids.shape[1] - len(union))
        for place, i in enumerate(ids[q]):
            held = [i != -1 and i in part[q] for part, _ in parts]
            assert int(sources[q, place]) == sum(1 << g for g, holds in enumerate(held) if holds)
            scores = [
                part_scores[q][part[q] == i][0] if h else NAN
                for (part, part_scores), h in zip(parts, held, strict=True)
            ]
            np.testing.assert_array_equal([column[q, place] for column in columns], np.array(scores, np.float32))
            listed = [part[q].tolist().index(i) + 1 if h else INF for (part, _), h in zip(parts, held, strict=True)]
            assert [rank[q, place] for rank in ranks] == listed


def test_merge_of_lists_that_say_nothing_is_empty():
    nothing = np.full((3, 4), -1, np.int32), np.full((3, 4), NAN, np.float32)
    no_width = np.empty((3, 0), np.int32), np.empty((3, 0), np.float32)
    for lists in ([nothing], [no_width], [nothing, no_width, nothing]):
        ids, sources, columns, ranks = kernels.merge(lists)
        assert ids.shape == sources.shape == (3, 0)
        assert [array.shape for array in (*columns, *ranks)] == [(3, 0)] * (2 * len(lists))


def test_merge_takes_ids_too_large_for_short_keys():
    lists = [(np.array([[2**31 - 1, 5]], np.int32), np.ones((1, 2), np.float32)) for _ in range(2)]
    ids, sources, _, ranks = kernels.merge([*lists, (np.array([[-1, -1]], np.int32), np.full((1, 2), NAN, np.float32))])
    assert (ids.tolist(), sources.tolist()) == ([[5, 2**31 - 1]], [[3, 3]])
    assert [rank.tolist() for rank in ranks] == [[[2, 1]], [[2, 1]], [[INF, INF]]]


@pytest.mark.parametrize("lists", [0, 65])
def test_merge_says_how_many_lists_it_takes(lists):
    part = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match=f"1 to 64 candidate lists, not from {lists}"):
        kernels.merge([part] * lists)


@pytest.mark.parametrize("flags", [1, 100, 1 << 22])
def test_hits_are_the_ids_in_the_truth(flags, monkeypatch):
    monkeypatch.setattr(kernels, "_FLAGGED", flags)
    rng = np.random.default_rng(0)
    dense = rng.random((12, 30)) < 0.2
    dense[3] = False
    truth = csr_matrix(dense, dtype=np.float32)
    ids = rng.integers(-1, 30, (12, 9)).astype(np.int32)
    given = kernels.hits(ids, truth)
    assert given.dtype == bool
    assert given.tolist() == [[bool(i >= 0 and dense[q, i]) for i in row] for q, row in enumerate(ids)]
    assert not kernels.hits(np.array([[0], [-1]], np.int32), csr_matrix([[0, 1.0], [0, 0]])).any()
    assert kernels.hits(ids[:, :0], truth).shape == (12, 0)
    assert not kernels.hits(ids, csr_matrix((12, 30), dtype=np.float32)).any()


@pytest.mark.parametrize("k", [1, 5, 40, 100])
def test_ndcg_is_the_metric_of_the_slate(k):
    scores = rounded(5, 40, 60, decimals=0)
    rng = np.random.default_rng(1)
    relevant = rng.random(scores.shape) < 0.1
    relevant[:, :3] |= rng.random((40, 3)) < 0.5  # ties at the k-th place matter
    relevant &= scores > -INF
    wanted = relevant.sum(axis=1) + rng.integers(0, 3, 40)
    ids = kernels.top_k(scores, k)[0]
    hits = np.take_along_axis(relevant, np.maximum(ids, 0), axis=1) & (ids >= 0)
    slate = Ndcg().of(hits, np.maximum(wanted, 1), k)
    np.testing.assert_allclose(kernels.ndcg(scores, relevant, wanted, k), np.where(wanted > 0, slate, 0), rtol=1e-12)


def test_ndcg_without_candidates_or_queries():
    assert kernels.ndcg(np.empty((2, 0), np.float32), np.empty((2, 0), bool), np.array([0, 3]), 5).tolist() == [0, 0]
    assert kernels.ndcg(np.empty((0, 4), np.float32), np.empty((0, 4), bool), np.empty(0, int), 5).shape == (0,)


def test_csr_rows():
    matrix = csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    assert kernels.csr_rows(matrix).tolist() == [0, 0, 2]


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
