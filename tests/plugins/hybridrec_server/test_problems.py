"""Problem details: paths of mistakes, and nothing of the server in them."""

from __future__ import annotations

import json
import time

import pytest
from pydantic import ValidationError

from hybridrec_server.problems import (
    KINDS,
    MAX_MISTAKES,
    MAX_PATH,
    Problem,
    invalid,
    key_path,
    of_validation,
    overloaded,
)
from hybridrec_server.schemas import RecommendRequests


def mistakes(body: dict) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        RecommendRequests.model_validate(body)
    problem = json.loads(of_validation(caught.value, body, RecommendRequests).body("t"))
    return {mistake["path"]: mistake["message"] for mistake in problem["errors"]}


def test_a_path_has_the_keys_of_the_body_alone():
    """Names of alternatives, which pydantic adds, are left out; one place is one mistake."""
    body = {"queries": [{}, {"items": ["a", 1.5], "context": {"hour": {}}, "filters": [{"is": 3}], "nn": 1}]}
    assert mistakes(body).keys() == {
        "queries[1].items[1]",
        "queries[1].context.hour",
        "queries[1].filters[0].column",
        "queries[1].nn",
    }
    assert "string; or: " in mistakes(body)["queries[1].items[1]"]


def test_an_unknown_key_is_told_with_the_nearest_one():
    told = mistakes({"queries": [{"itmes": ["a"], "filters": [{"column": "year", "fom": 1970}]}], "n": 3})
    assert told["queries[0].itmes"].startswith("unknown key: did you mean 'items'? Available: ")
    assert told["queries[0].filters[0].fom"] == (
        "unknown key: did you mean 'from'? Available: column, from, in, is, not, to"
    )
    assert told["n"] == "unknown key: available are queries"


def test_very_many_and_long_unknown_keys_take_no_time():
    keys = {f"{number}{'item' * 50_000}": 1 for number in range(3)} | dict.fromkeys(map(str, range(50_000)), 1)
    started = time.process_time()
    assert len(mistakes({"queries": [{}], **keys})) == MAX_MISTAKES
    assert time.process_time() - started < 2


def test_rules_of_ours_are_told_without_a_prefix():
    messages = mistakes({"queries": [{"items": ["a"], "item_times": [1.0, 2.0]}]})
    assert messages == {"queries[0]": "`item_times` has 2 values for 1 items; give one for each item"}


def test_long_texts_of_a_client_are_cut():
    path = key_path(("x" * 5000,), {"x" * 5000: 1})
    assert len(path) == MAX_PATH + 3
    many = invalid([(str(number), "wrong") for number in range(50)])
    assert len(many.mistakes) == MAX_MISTAKES
    assert many.detail.startswith("50 mistakes")


def test_details_follow_the_standard():
    problem = overloaded("the queue is full", 0.2)
    assert (problem.status, problem.headers) == (503, {"retry-after": "1"})
    assert json.loads(problem.body("abc")) == {
        "type": "/api#problem-overloaded",
        "title": "The server has too much to do",
        "status": 503,
        "detail": "the queue is full",
        "trace": "abc",
    }


def test_the_only_statuses_above_500_are_a_mistake_of_ours_and_503():
    assert {kind.status for kind in KINDS.values() if kind.status >= 500} == {500, 503}
    assert all(Problem(name, "x").status == kind.status for name, kind in KINDS.items())
