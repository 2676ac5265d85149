"""ALS, BPR and item neighbours keep the contract, fold in any history, and stay silent where they know nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import hstack

from hybridrec import Exclude, Query, QueryBatch, Ragged, unpack_csr, valued
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_implicit.als import ALS
from hybridrec_implicit.bpr import BPR
from hybridrec_implicit.knn import ItemKNN
from hybridrec_implicit.least_squares import blocks

pytest.importorskip("implicit")


class TestALS(ComponentContract):
    component = ALS
    configs = (
        {"factors": 8, "regularization": 1},
        {"factors": 8, "regularization": 1, "fields": ["items"], "weights": "log"},
        {"factors": 8, "fields": ["tags"], "weights": "raw", "regularization": 1},
        {"factors": 8, "regularization": 1, "frequency_power": 1, "cold": "regression"},
        {"factors": 8, "regularization": 1, "similarity": "cosine"},
        {"factors": 8, "regularization": 1, "similarity": "euclidean"},
    )
    learns_the_checkerboard = ("items", "tags")


class TestBPR(ComponentContract):
    component = BPR
    configs = (
        {"factors": 8},
        {"factors": 8, "fields": ["items"]},
        {"factors": 8, "similarity": "cosine"},
        {"factors": 8, "norm_exponent": 0.5},
    )
    learns_the_checkerboard = ("items", "tags")


class TestItemKNN(ComponentContract):
    component = ItemKNN
    configs = ({}, {"similarity": "cosine", "weights": "raw"}, {"similarity": "tfidf", "fields": ["items"]})
    learns_the_checkerboard = ("items", "tags")


def everybody(data):
    return data.queries(np.arange(len(data.users), dtype=np.int32))


@pytest.mark.parametrize("model", [ALS, BPR])
def test_vectors_are_compared_as_asked_and_trained_alike(model):
    """Each similarity by hand, from the vectors of the plain model; BPR's bias counts in its inner product alone."""
    data = toy_dataset()
    asked, ids = encode([Query(items=["item 02", "item 05"])], data), np.array([[1, 4, 7]], np.int32)

    def fit(**options):
        return model(model.Config(factors=6, **options)).fit(data, np.random.default_rng(1))

    plain = fit()
    q, v = plain.query_vectors(asked, "items")[0], plain.vectors("items")[[1, 4, 7]]
    np.testing.assert_allclose(plain.score(asked, ids, "items")[0], v @ q, rtol=1e-5)
    if model is BPR:
        q, v = q[:-1], v[:, :-1]
    length = np.linalg.norm(v, axis=1)
    for options, expected in (
        ({"norm_exponent": 0.5}, v @ q / length**0.5),
        ({"similarity": "cosine"}, v @ q / length / np.linalg.norm(q)),
        ({"similarity": "euclidean"}, -((v - q) ** 2).sum(axis=1)),
    ):
        other = fit(**options)
        np.testing.assert_allclose(other.score(asked, ids, "items")[0], expected, rtol=1e-3, atol=1e-5)
        assert all(
            np.array_equal(other.state()[k], plain.state()[k], equal_nan=k in data.targets) for k in plain.state()
        )


def test_als_folds_in_by_the_closed_form():
    data = toy_dataset()
    als = ALS(ALS.Config(factors=6, weights="raw", alpha=3, regularization=0.5)).fit(data, np.random.default_rng(1))
    queries = everybody(data)
    factors = np.nan_to_num(np.concatenate([als.vectors("items"), als.vectors("tags")])).astype(np.float64)
    weights = als.matrix(queries)
    weights.data = 3 * weights.data * als.state()["scale"][weights.indices]
    given = als.query_vectors(queries, "items")
    for vector, extra, is_given in zip(given, weights.toarray(), weights.toarray() > 0, strict=True):
        left = factors.T @ factors + (factors.T * extra) @ factors + 0.5 * np.eye(6)
        wanted = np.linalg.solve(left, factors.T @ ((1 + extra) * is_given)) if is_given.any() else np.full(6, np.nan)
        np.testing.assert_allclose(vector, wanted, atol=1e-3)


def test_regularization_grows_with_frequency():
    """Once settled, users solved from items give back the items, each side with λ (sum / mean sum)^ν."""
    data = toy_dataset()
    options = ALS.Config(
        fields=["items"], factors=3, alpha=3, regularization=4, frequency_power=0.5, column_power=0, iterations=400
    )
    als = ALS(options).fit(data, np.random.default_rng(1))
    items = als.vectors("items")[:-1].astype(np.float64)
    users = als.query_vectors(everybody(data), "items")[:-1].astype(np.float64)
    confidence = 1 + 3 * data.interactions.matrix(binary=True).toarray()[:-1, :-1]
    for given, others, weights in ((users, items, confidence), (items, users, confidence.T)):
        penalty = 4 * np.sqrt(weights.sum(axis=1) / weights.sum(axis=1).mean())
        left = np.einsum("ij,jd,je->ide", weights, others, others) + penalty[:, None, None] * np.eye(3)
        right = (weights * (weights > 1)) @ others
        np.testing.assert_allclose(given, np.linalg.solve(left, right[:, :, None])[:, :, 0], atol=1e-3)


def test_blocks_hold_every_row_once():
    lengths = np.array([3, 0, 70, 1, 2, 2, 90_000, 0])
    parts = list(blocks(lengths, 64))
    np.testing.assert_array_equal(np.sort(np.concatenate([rows for rows, _ in parts])), [0, 2, 3, 4, 5, 6])
    for rows, width in parts:
        assert lengths[rows].max() == width


def test_factors_do_not_depend_on_the_number_of_threads():
    data, fitted = toy_dataset(), []
    for threads in (1, 2):
        als = ALS(ALS.Config(factors=6))
        als.threads = threads
        fitted.append(als.fit(data, np.random.default_rng(0)).vectors("items"))
    np.testing.assert_array_equal(*fitted)


@pytest.mark.parametrize("model", [ALS(), BPR(), ItemKNN()], ids=lambda model: model.name)
def test_what_nobody_has_is_no_candidate_and_no_evidence(model):
    """The last item of the toy data is in no history."""
    data = toy_dataset()
    model.fit(data, np.random.default_rng(0))
    cold = len(data.items) - 1
    everything = model.candidates(everybody(data), len(data.items), "items", Exclude())
    assert not (everything.ids == cold).any()
    only_cold = encode([Query(items=[data.items.vocabulary.ids[cold]])], data)
    assert (model.candidates(only_cold, 5, "items", Exclude()).ids == -1).all()


def test_item_knn_is_history_times_similarity():
    """Cosine by hand on three users: a and b share two of them, c has one of its own beside b."""
    toy = toy_dataset(users=3, items=3, tags=0)
    data = replace(toy, interactions=Ragged.from_rows([[0, 1], [0, 1], [1, 2]], 3))
    model = ItemKNN(ItemKNN.Config(similarity="cosine", fields=["items"])).fit(data, np.random.default_rng(0))
    queries = QueryBatch(np.array([-1], np.int32), Ragged.from_rows([[1]], 3), {}, ("",))
    scores = model.score(queries, np.array([[0, 1, 2]], np.int32), "items")
    np.testing.assert_allclose(scores, [[2 / np.sqrt(2 * 3), np.nan, 1 / np.sqrt(3)]], rtol=1e-6)


def test_item_knn_votes_for_the_columns_of_each_target():
    data = toy_dataset()
    model = ItemKNN().fit(data, np.random.default_rng(0))
    assert model.kinds[:2] == ("items", "tags")
    queries = everybody(data)
    rows = hstack([valued(queries.matrix(kind), "binary") for kind in model.kinds], format="csr")
    for kind in model.kinds:
        wanted = (rows @ unpack_csr(model.state(), f"votes.{kind}")).toarray()
        scores = model.scores(queries, kind)
        np.testing.assert_array_equal(np.nan_to_num(scores), wanted)
        assert scores.shape == (len(queries), data.size(kind))


@pytest.mark.parametrize("component", [ALS, BPR, ItemKNN])
def test_fields_decide_what_is_needed_and_recommended(component):
    both, items = component(), component(component.Config(fields=("items",)))
    assert all(both.recommends(kind) and both.reads(kind) for kind in ("items", "tags", "venues"))
    assert (items.targets, items.needs) == (("items",), {"items"})
