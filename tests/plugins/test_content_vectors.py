"""Dense vectors of items: cosines as by hand, cold items, items without a vector; and the contract."""

import numpy as np
import pytest

from hybridrec import DataError, Exclude, Query
from hybridrec.testing import ComponentContract, encode, parity_queries, toy_dataset
from hybridrec_content.vectors import ContentVectors

RNG = np.random.default_rng(0)


class TestContentVectors(ComponentContract):
    component = ContentVectors
    configs = ({}, {"similarity": "dot"})
    learns_the_checkerboard = ("items",)


def test_the_score_is_the_cosine_with_the_mean_direction_of_the_distinct_items():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    directions = data.items.vectors / np.linalg.norm(data.items.vectors, axis=1, keepdims=True)
    profile = sum(directions[item] for item in set(queries.history.take(np.array([0])).ids.tolist()))
    ids = np.arange(40, dtype=np.int32)[None]
    score = ContentVectors().fit(data, RNG).score(queries.take(np.array([0])), ids, "items")[0]
    np.testing.assert_allclose(score, directions @ profile / np.linalg.norm(profile), rtol=1e-5)


def test_the_distance_and_the_inner_product_are_those_to_the_mean_of_the_vectors():
    data = toy_dataset()
    vectors = data.items.vectors.copy()
    vectors[4] = 0
    data = data.with_entities("items", vectors=vectors)
    asked = encode([Query(items=["item 02", "item 04", "item 05", "item 05"])], data)
    mean, ids = vectors[[2, 5]].mean(axis=0), np.array([[1, 4, 7]], np.int32)
    for similarity, expected in (
        ("dot", vectors[[1, 7]] @ mean),
        ("euclidean", -((vectors[[1, 7]] - mean) ** 2).sum(axis=1)),
    ):
        model = ContentVectors(ContentVectors.Config(similarity=similarity)).fit(data, RNG)
        scores = model.score(asked, ids, "items")[0]
        np.testing.assert_allclose(scores[[0, 2]], expected, rtol=1e-4, atol=1e-5)
        assert np.isnan(scores[1])


def test_items_without_a_vector_are_neither_read_nor_proposed():
    data = toy_dataset()
    vectors = data.items.vectors.copy()
    vectors[::2] = 0
    model = ContentVectors().fit(data.with_entities("items", vectors=vectors), RNG)
    ids = model.candidates(parity_queries(data, "items"), 40, "items", Exclude()).ids
    assert (ids[0] == -1).all(), "an even history has no vector"
    assert sorted(ids[1, :20]) == list(range(1, 40, 2))
    assert (ids[1, 20:] == -1).all()


def test_data_without_vectors_is_refused():
    with pytest.raises(DataError, match="the items have no vectors"):
        ContentVectors().fit(toy_dataset().with_entities("items", vectors=None), RNG)
