"""nDCG of graded truth, by hand."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.evaluation.accuracy import Ndcg, NdcgOptions
from hybridrec.evaluation.metrics import EvalBatch
from hybridrec.stages import kernels
from tests.evaluation.test_metrics import dataset


def graded(ids, gains, *, target="items", train=None):
    """Slates beside rows of gains: the gain of every id, NaN where it is not relevant; zeros are gains."""
    ids, gains = np.array(ids, np.int32), np.array(gains, np.float32)
    rows, columns = np.nonzero(~np.isnan(gains))
    stored = csr_matrix((gains[rows, columns], (rows, columns)), shape=gains.shape)
    truth = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=gains.shape)
    train = dataset([[0]], gains.shape[1]) if train is None else train
    return EvalBatch(target, ids, kernels.hits(ids, truth), truth, train, gains=stored)


NONE = math.nan
BATCH = graded(
    [[0, 1, 2, 3], [3, 2, -1, -1], [0, 1, 2, 3], [0, 1, 2, 3]],
    [[3, NONE, 2, 1, 5], [NONE, NONE, 4, 1, NONE], [NONE] * 5, [0, NONE, -2, NONE, NONE]],
)


def test_linear_gains_are_discounted_and_divided_by_the_best_slate_of_k():
    # query 0, k = 3: shown 3 at place 1 and 2 at place 3; best 5, 3, 2. Query 1: shown 1, 4; best 4, 1.
    log = math.log2
    wanted = [
        (3 + 2 / log(4)) / (5 + 3 / log(3) + 2 / log(4)),
        (1 + 4 / log(3)) / (4 + 1 / log(3)),
        math.nan,
        math.nan,
    ]
    np.testing.assert_allclose(Ndcg(NdcgOptions(gain="linear")).values(BATCH, 3), wanted)


def test_exponential_gains_are_two_to_the_weight_minus_one():
    log = math.log2
    wanted = [(7 + 3 / log(4)) / (31 + 7 / log(3) + 3 / log(4)), (1 + 15 / log(3)) / (15 + 1 / log(3))]
    np.testing.assert_allclose(Ndcg(NdcgOptions(gain="exponential")).values(BATCH, 3)[:2], wanted)


def test_binary_gains_do_not_see_weights():
    log = math.log2
    best = 1 + 1 / log(3) + 1 / log(4)
    np.testing.assert_allclose(
        Ndcg().values(BATCH, 3), [(1 + 1 / log(4)) / best, 1.0, math.nan, 1.5 / best * best / (1 + 1 / log(3))]
    )


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_without_weights_every_gain_is_one(gain):
    plain = EvalBatch("items", BATCH.ids, BATCH.hits, BATCH.truth, BATCH.train)
    np.testing.assert_array_equal(Ndcg(NdcgOptions(gain=gain)).values(plain, 3), Ndcg().values(plain, 3))


def test_the_best_slate_is_worth_one_and_places_below_k_do_not_count():
    best = graded([[4, 0, 2, 1]], [[3, NONE, 2, 1, 5]])
    assert Ndcg(NdcgOptions(gain="linear")).values(best, 3) == pytest.approx(1.0)
    assert Ndcg(NdcgOptions(gain="linear")).values(best, 10)[0] < 1.0
