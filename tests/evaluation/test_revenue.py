"""Revenue by hand: gains and prices of hits."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

import hybridrec
from hybridrec import Experiment, PipelineConfig, take, use
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


def test_what_was_paid_reaches_the_report_and_what_was_played_the_models(tmp_path):
    rows = [  # user, item, time, plays, paid; by plays, popularity ranks a, c, b, d
        ("u1", "a", 1, 9, 0.0), ("u1", "b", 2, 1, 50.0), ("u2", "a", 1, 9, 0.0), ("u2", "b", 2, 1, 50.0),
        ("u3", "a", 1, 9, 0.0), ("u4", "c", 2, 5, 0.0), ("u4", "d", 2, 1, 90.0),
        ("u1", "c", 11, 1, 5.0), ("u2", "c", 11, 1, 4.0), ("u2", "c", 12, 1, 3.0),
        ("u3", "b", 11, 8, 2.0), ("u3", "d", 12, 1, 10.0), ("u3", "c", 13, 1, -1.0),
    ]  # fmt: skip
    sales = pl.DataFrame(rows, ["user", "item", "time", "plays", "paid"], orient="row")
    prices = pl.DataFrame({"id": ["a", "b", "c", "d"], "price": [1.0, 2.0, 3.0, None]})
    columns = {"user": "user", "item": "item", "time": "time", "weight": "plays", "gain": "paid"}
    experiment = Experiment(
        name="shop",
        data=use("table", interactions=columns, items={"id": "id", "features": {"price": "number"}}),
        split=use("temporal", cut="1970-01-01T00:00:10"),
        components={"popularity": use("popularity", count="weights")},
        pipelines={"control": PipelineConfig(generators=[take("popularity")], fallback=[])},
        targets={"items": 3},
        compare={
            "metrics": [
                {"use": "revenue", "at": 1},
                {"use": "revenue", "at": 3},
                {"use": "revenue", "price": "price", "at": 3, "as": "list@3"},
                {"use": "ndcg", "gain": "linear", "at": 2},
            ],
        },
    )
    run = hybridrec.run(
        experiment,
        data={"interactions": sales, "items": prices},
        store=tmp_path / "store",
        runs=tmp_path / "runs",
    )
    assert run.slates("control")["id"].to_list() == ["c", "d", "c", "d", "c", "b", "d"]
    measured = run.per_query()
    assert measured["revenue@1"].to_list() == [5, 7, -1]
    assert measured["revenue@3"].to_list() == [5, 7, 11]
    assert measured["list@3"].to_list() == [3, 3, 5]
    # What was returned gains nothing; the best slate has d (10) before b (2).
    graded = 2 / math.log2(3) / (10 + 2 / math.log2(3))
    assert measured["ndcg[gain=linear]@2"].to_list() == pytest.approx([1, 1, graded])
