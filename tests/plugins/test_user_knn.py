"""`user-knn`: similar users vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import DataError, Query, Ragged
from hybridrec.data.encoding import encode
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_neighbours.users import UserKNN, UserKNNOptions


class TestUserKNN(ComponentContract):
    component = UserKNN
    configs = (
        {},
        {"title": 0, "tags": 0},
        {"neighbours": 3, "power": 3.0, "idf": 0},
        {"time": 0.5, "half_life": 7},
        {"length": 0.2},
    )
    learns_the_checkerboard = ("items", "tags")


def test_scores_are_the_votes_of_the_nearest() -> None:
    data = toy_dataset()
    options = UserKNNOptions(tags=0, title=0, idf=0, neighbours=2, power=2)
    model = UserKNN(options).fit(data, np.random.default_rng(0))
    history = data.interactions.take(np.array([3])).ids
    query = encode([Query(items=[data.items.vocabulary.ids[int(i)] for i in history])], data)
    has = data.interactions.matrix(binary=True).toarray()
    row = query.history.matrix(binary=True).toarray()[0]
    cosine = has @ row / np.sqrt(np.maximum(has.sum(axis=1), 1) * row.sum())
    nearest = np.argsort(-cosine, kind="stable")[:2]
    expected = (cosine[nearest, None] ** 2 * has[nearest]).sum(axis=0)
    scores = np.nan_to_num(model.scores(query, "items")[0])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_length_holds_long_histories_back() -> None:
    """User 0 has one of the query's two items and one other, user 1 one of them and three others."""
    history = Ragged.from_rows([[0, 2], [1, 3, 4, 5]], 6)
    data = replace(toy_dataset(users=2, items=6, tags=2), interactions=history)
    query = encode([Query(items=data.items.vocabulary.ids[:2].to_list())], data)
    for length in (0.0, 0.5, 0.8, 1.0):
        options = UserKNNOptions(tags=0, title=0, idf=0, length=length)
        scores = UserKNN(options).fit(data, np.random.default_rng(0)).scores(query, "items")[0]
        wanted = np.array([2.0, 4.0]) ** -length / 2 ** (1 - length)
        np.testing.assert_allclose(scores[[2, 3]], wanted, rtol=1e-5)


def test_closeness_in_time_adds_to_the_similarity() -> None:
    """Users 0 and 1 have the same items, a half-life and two of them before the query."""
    day = 86_400.0
    history = replace(Ragged.from_rows([[0, 1], [0, 2]], 3), times=np.array([0, 10, 0, 20]) * day)
    data = replace(toy_dataset(users=2, items=3, tags=2), interactions=history)
    options = UserKNNOptions(tags=0, title=0, idf=0, time=0.5, half_life=10)
    model = UserKNN(options).fit(data, np.random.default_rng(0))
    query = replace(encode([Query(items=[data.items.vocabulary.ids[0]])], data), times=np.array([30 * day]))
    cosine = 1 / np.sqrt(2)
    assert model.scores(query, "items")[0, 1:] == pytest.approx([cosine + 0.5 / 4, cosine + 0.5 / 2], rel=1e-5)
    unknown = replace(query, times=None)
    assert model.scores(unknown, "items")[0, 1:] == pytest.approx([cosine, cosine], rel=1e-5)


def test_closeness_in_time_needs_times() -> None:
    data = toy_dataset()
    data = replace(data, interactions=replace(data.interactions, times=None))
    with pytest.raises(DataError, match="`time` needs the times of interactions"):
        UserKNN(UserKNNOptions(time=1)).fit(data, np.random.default_rng(0))


def test_something_must_be_compared() -> None:
    with pytest.raises(ValueError, match="one of items, tags and title"):
        UserKNNOptions(items=0, tags=0, title=0)
