"""Keys compare like the scores and columns that they hold, against a plain sort."""

import numpy as np
import pytest

from hybridrec.stages.kernels import sort_keys
from hybridrec.stages.kernels.sort_keys import HALF, columns_of, keys_of, leading, scores_of
from tests.stages.kernels.naive import INF, naive_order, rounded


def test_sorted_keys_are_the_order_of_scores_then_columns():
    scores = rounded(0, 20, 50)
    keys = np.sort(keys_of(scores, np.arange(50)), axis=1)
    assert columns_of(keys).tolist() == [naive_order(row) for row in scores.tolist()]
    assert (keys[:, 1:] > keys[:, :-1]).all()  # unique: they need no stable sort


def test_scores_come_back_from_keys():
    tiny = np.finfo(np.float32).smallest_subnormal
    scores = np.array([[INF, 3e38, 1, tiny, 0.0, -tiny, -1, -3e38, -INF]], np.float32)
    keys = keys_of(scores, np.arange(9)[::-1])
    np.testing.assert_array_equal(scores_of(keys), scores)
    assert columns_of(keys).tolist() == [[8, 7, 6, 5, 4, 3, 2, 1, 0]]
    assert scores_of(keys_of(np.array([-0.0], np.float32), np.zeros(1, int))) == 0


@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_the_key_of_a_missing_score_is_above_that_of_minus_infinity(nan):
    keys = keys_of(np.array([-3e38, -INF, nan], np.float32), np.array([2, 1, 0]))
    assert keys[0] < keys[1] < keys[2]
    assert keys[1] >> HALF == 0xFF80_0000


@pytest.mark.parametrize("step", [1, 7, 100])
@pytest.mark.parametrize("decimals", [1, 3, 7])
def test_columns_that_are_certain_are_the_best(decimals, step):
    scores = rounded(decimals, 60, 300, decimals)
    columns, certain, in_order = leading(scores, 9, step)
    best = np.array([naive_order(row)[:9] for row in scores.tolist()])
    assert certain.any()
    for row in np.flatnonzero(certain):
        assert set(columns[row]) == set(best[row])
    for row in np.flatnonzero(certain & in_order):
        assert columns[row].tolist() == best[row].tolist()


def test_rows_of_scores_that_differ_are_certain_and_those_that_nearly_tie_are_not():
    apart = np.random.default_rng(0).permuted(np.tile(np.arange(40, dtype=np.float32), (3, 1)), axis=1)
    columns, certain, in_order = leading(apart, 5, 10)
    assert certain.all()
    assert in_order.all()
    assert np.take_along_axis(apart, columns, axis=1).tolist() == [[39, 38, 37, 36, 35]] * 3
    apart[1][apart[1] == 34] = np.nextafter(np.float32(35), np.float32(36))  # the fifth, by one bit
    apart[2][apart[2] == 38] = np.nextafter(np.float32(39), np.float32(40))  # the first, by one bit
    _, certain, in_order = leading(apart, 5, 10)
    assert certain.tolist() == [True, False, True]
    assert in_order.tolist() == [True, False, False]


def test_a_row_with_a_negative_nan_is_never_certain():
    scores = np.arange(20, dtype=np.float32)[None]
    scores[0, 3] = np.copysign(np.float32(np.nan), np.float32(-1))
    assert not sort_keys.leading(scores, 4, 1)[1].any()
