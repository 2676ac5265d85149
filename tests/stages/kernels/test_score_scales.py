"""Scales of scores, row by row."""

import math

import numpy as np
import pytest

from hybridrec.stages import kernels
from tests.stages.kernels.naive import NAN, naive_order, rounded

SPECIAL_ROWS = np.array(
    [[1, 2, 4, NAN], [NAN, NAN, NAN, NAN], [0.1, 0.1, 0.1, 0.1], [NAN, 7, NAN, NAN], [-5, 5, 0, 0]], np.float32
)


def test_zscore_row_by_row():
    rows = np.concatenate([SPECIAL_ROWS, np.random.default_rng(0).normal(1e4, 1, (5, 4)).astype(np.float32)])
    given = kernels.zscore(rows)
    assert given.dtype == np.float32
    for row, values in zip(rows.astype(np.float64), given, strict=True):
        numbers = row[~np.isnan(row)]
        spread = numbers.std() if len(numbers) else 0
        wanted = (row - numbers.mean()) / spread if spread else row * 0
        np.testing.assert_allclose(values, wanted, atol=1e-5)


def test_min_max_row_by_row():
    given = kernels.min_max(SPECIAL_ROWS)
    assert given.dtype == np.float32
    wanted = [[0, 1 / 3, 1, NAN], [NAN] * 4, [1] * 4, [NAN, 1, NAN, NAN], [0, 1, 0.5, 0.5]]
    np.testing.assert_allclose(given, wanted, rtol=1e-6)


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


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
@pytest.mark.parametrize("scale", [kernels.zscore, kernels.min_max, kernels.ranks])
def test_nothing_stays_nothing(scale, shape):
    assert scale(np.empty(shape, np.float32)).shape == shape
