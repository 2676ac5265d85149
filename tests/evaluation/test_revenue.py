"""Revenue by hand: gains and prices of hits."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.features import Features
from hybridrec.errors import DataError
from hybridrec.evaluation.metrics import EvalBatch
from hybridrec.evaluation.revenue import Revenue, RevenueOptions
from tests.evaluation.batches import dataset
from tests.evaluation.test_accuracy import BATCH, NONE, graded


def test_revenue_adds_the_gains_of_hits_up():
    np.testing.assert_allclose(Revenue().values(BATCH, 3), [5, 5, math.nan, -2])
    np.testing.assert_allclose(Revenue().values(BATCH, 1), [3, 1, math.nan, 0])
    plain = EvalBatch("items", BATCH.ids, BATCH.hits, BATCH.truth, BATCH.train)
    np.testing.assert_allclose(Revenue().values(plain, 4), [3, 2, math.nan, 2])


def priced(names=("colour", "price")):
    columns = np.array([[1, 10], [0, 20], [1, 0], [1, 2.5], [1, 99]], np.float32)
    return dataset([[0]], 5).with_entities("items", features=Features.of_labels(names, csr_matrix(columns)))


def test_revenue_adds_the_price_of_hits_up_and_an_unknown_price_adds_nothing():
    batch = graded([[0, 1, 2, 3], [-1, 3, 1, -1]], [[1, NONE, 1, 1, 1], [NONE, 9, NONE, 1, NONE]], train=priced())
    metric = Revenue(RevenueOptions(price="price"))
    np.testing.assert_allclose(metric.values(batch, 4), [12.5, 22.5])
    np.testing.assert_allclose(metric.values(batch, 2), [10, 2.5])


def test_a_price_that_items_do_not_have_is_answered_with_the_names():
    metric = Revenue(RevenueOptions(price="prize"))
    with pytest.raises(
        DataError, match=r"items have no feature 'prize': did you mean 'price'\? Available: colour, price"
    ):
        metric.values(graded([[0]], [[1, 0, 0, 0, 0]], train=priced()), 1)
    with pytest.raises(DataError, match="items have no feature 'prize': none are available"):
        metric.values(BATCH, 1)
    with pytest.raises(DataError, match="tags have no 'prize'; leave `price` out"):
        metric.values(graded([[0]], [[1, 0, 0, 0, 0]], target="tags"), 1)


def test_some_of_the_queries_keep_their_gains():
    kept = BATCH.take(np.array([False, True, False, True]))
    np.testing.assert_allclose(Revenue().values(kept, 3), [5, -2])
