"""Filters of requests: each type of attribute, unknown values, and what cannot be asked."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

import hybridrec
from hybridrec import BatchRecommender, FeatureColumn, Features
from hybridrec_server import rules as module
from hybridrec_server.answers import Answerer
from hybridrec_server.protocols import RequestProblem
from hybridrec_server.rules import Rules

IDS = ["a", "b", "c", "d"]
NAN = np.nan


@pytest.fixture
def rules():
    genres = csr_matrix(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32))
    labels = csr_matrix(np.array([[1, 0], [0, 1], [0, 0], [1, 0]], np.float32))
    features = Features(
        {
            "price": FeatureColumn("number", np.array([1, 2.5, NAN, 4], np.float32)),
            "live": FeatureColumn("flag", np.array([1, 0, NAN, 1], np.float32)),
            "released": FeatureColumn("time", np.array([10.0, 20.0, 30.0, NAN])),
            "genre": FeatureColumn("category", genres, ("jazz", "rock")),
            "": FeatureColumn("category", labels, ("mood:calm", "mood:wild")),
        }
    )
    return Rules({"items": features})


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"column": "price", "is": 2.5}, "b"),
        ({"column": "price", "in": [1, 4]}, "ad"),
        ({"column": "price", "from": 2.5}, "bd"),
        ({"column": "price", "to": 2.5}, "ab"),
        ({"column": "price", "from": 1.5, "to": 3.0}, "b"),
        ({"column": "price", "from": 2.5, "not": True}, "ac"),
        ({"column": "live", "is": True}, "ad"),
        ({"column": "live", "is": False}, "b"),
        ({"column": "live", "is": True, "not": True}, "bc"),
        ({"column": "released", "to": 20}, "ab"),
        ({"column": "genre", "is": "jazz"}, "ac"),
        ({"column": "genre", "in": ["jazz", "rock"]}, "abc"),
        ({"column": "genre", "is": "polka"}, ""),
        ({"column": "genre", "is": "jazz", "not": True}, "bd"),
        ({"column": "mood", "is": "calm"}, "ad"),
    ],
)
def test_what_meets_a_condition(rules, rule, allowed):
    excluded = rules.excluded("items", [rule])
    assert "".join(name for name, out in zip(IDS, excluded, strict=True) if not out) == allowed
    assert rules.excluded("items", [rule]) is excluded


def test_several_conditions_have_to_be_met(rules):
    both = [{"column": "genre", "is": "jazz"}, {"column": "price", "to": 3.0}]
    assert rules.excluded("items", both).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("rule", "path", "told"),
    [
        ({"column": "prize", "is": 1}, "filters[0].column", "price"),
        ({"column": "price", "is": "cheap"}, "filters[0].is", "a number"),
        ({"column": "price", "is": True}, "filters[0].is", "a number"),
        ({"column": "price", "in": ["cheap"]}, "filters[0].in", "a number"),
        ({"column": "live", "is": 1}, "filters[0].is", "true or false"),
        ({"column": "live", "from": 0.0}, "filters[0].from", "flag"),
        ({"column": "genre", "is": 3}, "filters[0].is", "texts"),
        ({"column": "genre", "from": 0.0}, "filters[0].from", "categories"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(rules, rule, path, told):
    with pytest.raises(RequestProblem, match=told) as error:
        rules.excluded("items", [rule])
    assert error.value.path == path


def test_a_target_without_attributes_says_so():
    with pytest.raises(RequestProblem, match="users have no attributes"):
        Rules({"users": None}).excluded("users", [{"column": "age", "is": 3}])


def test_masks_are_kept_within_bounds(rules, monkeypatch):
    monkeypatch.setattr(module, "_MEMORY", 130)  # a mask of 4 bytes, and its key of 37
    for price in range(10):
        rules.excluded("items", [{"column": "price", "is": price}])
        assert len(rules._masks) <= 3
        assert rules._size == 41 * len(rules._masks)


def test_a_table_of_queries_is_answered_as_requests_are(experiment):
    folder = hybridrec.run(experiment(("workers: 2", "refit: all"))).folder
    users, costs = ["user 04", "user 05", "user 06", "user 07"], [[1, 2], [4], [77], None]
    blocked = [["item 01", "item 06"], None, None, ["item 10"]]
    requests = [
        {
            "id": user,
            "user": user,
            "blocked": ids or [],
            "filters": [{"column": "cost", "in": values}] if values else [],
        }
        for user, values, ids in zip(users, costs, blocked, strict=True)
    ]
    recommender = hybridrec.load(folder)
    answerer = Answerer(recommender, lambda _: None)
    bodies = answerer.recommend(requests, recommender.default, "items", 8, frozenset()).bodies
    slates = {
        user: [place["id"] for place in json.loads(body)["items"]] for user, body in zip(users, bodies, strict=True)
    }
    assert [len(ids) > 0 for ids in slates.values()] == [True, True, False, True]
    table = pl.DataFrame({"user": users, "blocked": blocked, "filters.cost": costs})
    answers = BatchRecommender(folder, n=8).recommend(table).group_by("query", maintain_order=True).agg("id")
    assert dict(answers.iter_rows()) == {user: ids for user, ids in slates.items() if ids}
