"""Ranking, against a plain sort."""

import numpy as np
import pytest

from hybridrec.stages import kernels
from hybridrec.stages.kernels import topk
from tests.stages.kernels.naive import INF, NAN, naive_order, naive_top_k, rounded


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
    monkeypatch.setattr(topk, "_COMPARED", 1)  # row by row
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


@pytest.mark.parametrize(("n", "k"), [(600, 100), (3000, 10), (6144, 100), (20_001, 30)])
@pytest.mark.parametrize("background", [-INF, NAN, 0.0, -0.0])
@pytest.mark.parametrize("numbers", [0, 5, 99, 400])
def test_top_k_of_a_few_numbers_before_a_background(n, k, background, numbers):
    rng = np.random.default_rng(n + numbers)
    scores = np.full((7, n), background, np.float32)
    for row in range(7):
        scores[row, rng.choice(n, numbers, replace=False)] = rng.standard_normal(numbers).round(2)
    scores[3] = rng.standard_normal(n)  # among rows like the others, and alone
    for block in (scores, scores[:1], scores[3:4]):
        ids, values = kernels.top_k(block, k)
        wanted_ids, wanted_values = naive_top_k(block, k)
        np.testing.assert_array_equal(ids, wanted_ids)
        np.testing.assert_array_equal(values, wanted_values)


def test_scores_that_only_reach_a_bound_together_with_ties_are_found():
    # The highest maxima are in the columns after the last whole round, which belong to no group.
    scores = np.zeros((4, 6143), np.float32)
    scores[:, -20:] = np.arange(20, 0, -1)
    assert kernels.top_k(scores, 30)[0].tolist() == [[*range(6123, 6143), *range(10)]] * 4


def test_best_names_each_column_once_where_few_entries_are_numbers():
    scores = np.full((3, 5000), -INF, np.float32)
    scores[0, [4999, 17, 80]] = [1, 3, 2]
    scores[1] = np.arange(5000)
    columns = kernels.best(scores, 12)
    assert columns[0, :3].tolist() == [17, 80, 4999]
    assert columns[1].tolist() == list(range(4999, 4987, -1))
    assert [len(set(row)) for row in columns.tolist()] == [12, 12, 12]
    assert ((columns >= 0) & (columns < 5000)).all()


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


def test_order_is_a_stable_sort():
    scores = rounded(1, 30, 40)
    assert kernels.order(scores).tolist() == [naive_order(row) for row in scores.tolist()]
    assert kernels.order(scores).dtype == np.int32


@pytest.mark.parametrize("decimals", [1, 3, 7])
@pytest.mark.parametrize(("n", "k"), [(41, 20), (400, 20), (1003, 100), (4096, 3), (4097, 3)])
def test_order_of_the_first_of_many(n, k, decimals):
    scores = rounded(n, 60, n, decimals)
    scores[5, 3:] = NAN
    scores[6] = -scores[7]
    assert kernels.order(scores, k).tolist() == [naive_order(row)[:k] for row in scores.tolist()]


def test_first_places_that_differ_in_the_last_bit_alone():
    scores = np.random.default_rng(0).random((50, 300), np.float32)
    best = np.float32(2)
    for place in range(40):  # more than are asked for, each a little better than the one before it
        scores[::2, 7 * place] = best
        best = np.nextafter(best, np.float32(3))
    assert kernels.order(scores, 20).tolist() == [naive_order(row)[:20] for row in scores.tolist()]


@pytest.mark.parametrize("k", [1, 3, 4, 7, 9])
def test_extremes_come_first_and_last(k):
    extremes = np.array([-INF, -0.0, 0.0, 3e38, -3e38, np.nan, INF, -np.nan, INF, np.nan], np.float32)
    scores = np.stack([np.resize(np.roll(extremes, roll), 30) for roll in range(10)])
    assert np.signbit(scores[np.isnan(scores)]).any()
    assert kernels.order(scores, k).tolist() == kernels.order(scores)[:, :k].tolist()


@pytest.mark.parametrize("k", [0, 1, 12, 39, 40, 50])
def test_order_of_the_first_is_the_start_of_the_order(k, monkeypatch):
    scores = rounded(4, 30, 40)  # some rows have fewer scores than that
    whole = kernels.order(scores)
    monkeypatch.setattr(topk, "_RANKED", 100)  # two rows at a time
    assert kernels.order(scores, k).tolist() == whole[:, :k].tolist()
