"""Filters of requests: kept masks, mistakes, and files of queries that mean the same."""

import json

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import BatchRecommender, FeatureColumn, Features
from hybridrec.serving.query_source import QueryFile
from hybridrec_server import rules as module
from hybridrec_server.answers import Answerer
from hybridrec_server.protocols import RequestProblem
from hybridrec_server.rules import Rules


@pytest.fixture
def rules():
    return Rules({"items": Features({"price": FeatureColumn("number", np.array([1, 2.5, np.nan, 4], np.float32))})})


def test_the_same_filters_are_evaluated_once(rules):
    excluded = rules.excluded("items", [{"column": "price", "from": 2.5}])
    assert excluded.tolist() == [True, False, True, False]
    assert rules.excluded("items", [{"column": "price", "from": 2.5}]) is excluded
    assert rules.excluded("items", [{"column": "price", "to": 2.5}]) is not excluded


def test_what_cannot_be_asked_is_told_with_its_place(rules):
    with pytest.raises(RequestProblem, match="did you mean 'price'") as error:
        rules.excluded("items", [{"column": "price", "is": 1}, {"column": "prize", "is": 1}])
    assert error.value.path == "filters[1].column"


def test_masks_are_kept_within_bounds(rules, monkeypatch):
    monkeypatch.setattr(module, "_MEMORY", 130)  # a mask of 4 bytes, and its key of 37
    for price in range(10):
        rules.excluded("items", [{"column": "price", "is": price}])
        assert len(rules._masks) <= 3
        assert rules._size == 41 * len(rules._masks)


BODIES = [
    {"user": "user 04", "blocked": ["item 01", "item 06"], "filters": [{"column": "cost", "in": [1, 2]}]},
    {"user": "user 05", "filters": [{"column": "cost", "from": 1, "to": 3}, {"column": "cost", "is": 2, "not": True}]},
    {"user": "user 06", "filters": [{"column": "cost", "is": 77}]},
    {"user": "user 07", "filters": [], "pinned": ["item 03", "item 10", "item 03", "item 08"], "blocked": ["item 10"]},
    {
        "user": "user 08",
        "items": ["item 02", "item 04"],
        "pinned": ["item 02"],
        "filters": [{"column": "cost", "to": 1}],
    },
    {"user": "user 09", "pinned": [f"item {code:02}" for code in range(20, 40)], "context": {"device": "tv"}},
    {"user": "user 10", "filters": [{"column": "cost", "is": 99}], "pinned": ["item 07"]},
    {"user": "user 11", "filters": [{"column": "cost", "from": 2.0, "not": True}], "tags": ["tag 01"], "time": 1.6e9},
    {"user": "user 12"},
]
"""Requests over HTTP, with a list of filters or without."""


@pytest.fixture
def folder(experiment):
    return hybridrec.run(experiment(("workers: 2", "refit: all"))).folder


def served(folder, pipeline):
    """For each user the ids and scores that the server answers; users with nothing are left out."""
    recommender = hybridrec.load(folder)
    answerer = Answerer(recommender, lambda _: None)
    requests = [{"id": body["user"], **body} for body in BODIES]
    bodies = answerer.recommend(requests, pipeline, "items", 8, frozenset()).bodies
    answers = [(body["user"], json.loads(answer)["items"]) for body, answer in zip(BODIES, bodies, strict=True)]
    return {user: [(place["id"], place["score"]) for place in places] for user, places in answers if places}


def answered(folder, pipeline, tables):
    """The same from tables of queries, each with the function that names its rows."""
    answer = BatchRecommender(folder, n=8, pipeline=pipeline)
    table = pl.concat(frame for rows, places in tables for frame in answer.frames(rows, places))
    pairs = table.select("query", pl.struct("id", "score").alias("place")).group_by("query", maintain_order=True).all()
    return {user: [(place["id"], place["score"]) for place in places] for user, places in pairs.iter_rows()}


@pytest.mark.parametrize("pipeline", ["hybrid", "control"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_bodies_of_requests_mean_the_same_in_a_file(folder, tmp_path, kind, pipeline):
    path = tmp_path / f"bodies.{kind}"
    path.write_text("\n".join(map(json.dumps, BODIES)))
    if kind == "parquet":
        pl.DataFrame(BODIES, infer_schema_length=None).write_parquet(path)
    elif kind == "csv":
        columns = dict.fromkeys(name for body in BODIES for name in body if name != "context")
        rows = [
            [_cell(body.get(name)) for name in columns] + [body.get("context", {}).get("device")] for body in BODIES
        ]
        pl.DataFrame(rows, [*columns, "context.device"], orient="row").write_csv(path)
    expected = served(folder, pipeline)
    assert [user for body in BODIES if (user := body["user"]) not in expected] == ["user 06"]
    assert [name for name, _ in expected["user 07"]][:2] == ["item 03", "item 08"]
    assert [name for name, _ in expected["user 09"]] == [f"item {code:02}" for code in range(20, 28)]
    assert expected["user 10"] == [("item 07", None)]
    for size in (100, 2):
        slates = answered(folder, pipeline, QueryFile(path, hybridrec.load(folder).data).parts(size, 0))
        assert {user: [name for name, _ in places] for user, places in slates.items()} == {
            user: [name for name, _ in places] for user, places in expected.items()
        }
        for user, places in slates.items():
            assert [score for _, score in places] == pytest.approx([score for _, score in expected[user]], abs=1e-5)


def _cell(value):
    """The text of a value in a field of csv: ids with `|` between them, filters as JSON."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return "|".join(value)
    return json.dumps(value) if isinstance(value, list) else None if value is None else str(value)


def test_values_of_an_attribute_in_columns_mean_the_same_as_a_list_of_filters(folder):
    users = [body["user"] for body in BODIES[:3]]
    blocked, costs = [BODIES[0]["blocked"], None, None], [[1, 2], None, [77]]
    table = pl.DataFrame({"user": users, "blocked": blocked, "filters.cost": costs})
    expected = served(folder, "hybrid")
    slates = answered(folder, "hybrid", [(table, str)])
    assert slates["user 04"] == [(name, pytest.approx(score, abs=1e-5)) for name, score in expected["user 04"]]
    assert slates.keys() == {"user 04", "user 05"}
