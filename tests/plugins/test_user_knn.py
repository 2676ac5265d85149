"""`user-knn`: similar users vote."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec import Query
from hybridrec.data.encoding import encode
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_neighbours.users import UserKNN, UserKNNOptions


class TestUserKNN(ComponentContract):
    component = UserKNN
    configs = ({}, {"title": 0, "tags": 0}, {"neighbours": 3, "power": 3.0, "idf": 0})
    learns_the_checkerboard = ("items", "tags")


def test_scores_are_the_votes_of_the_nearest() -> None:
    data = toy_dataset()
    options = UserKNNOptions(tags=0, title=0, idf=0, neighbours=2, power=2)
    model = UserKNN(options).fit(data, np.random.default_rng(0))
    history = data.interactions.take(np.array([3])).ids
    query = encode([Query(items=[data.items.ids[int(i)] for i in history])], data)
    has = data.interactions.matrix(binary=True).toarray()
    row = query.history.matrix(binary=True).toarray()[0]
    cosine = has @ row / np.sqrt(np.maximum(has.sum(axis=1), 1) * row.sum())
    nearest = np.argsort(-cosine, kind="stable")[:2]
    expected = (cosine[nearest, None] ** 2 * has[nearest]).sum(axis=0)
    found = np.nan_to_num(model.scores(query, "items")[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_something_must_be_compared() -> None:
    with pytest.raises(ValueError, match="one of items, tags and title"):
        UserKNNOptions(items=0, tags=0, title=0)
