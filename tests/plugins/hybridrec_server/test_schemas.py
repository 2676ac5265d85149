"""Models of requests: the rules that the validation holds, each with the key path of the mistake."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from hybridrec_server import schemas
from hybridrec_server.schemas import EventsRequest, FilterRule, RecommendRequest, RecommendRequests, SimilarRequest


def mistakes(model: type[BaseModel], body: dict) -> list[tuple[tuple, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


def test_ids_are_text_or_whole_numbers():
    request = RecommendRequest.model_validate(
        {"user": 7, "items": ["a", 12], "tags": [3], "entities": {"artists": [4]}}
    )
    assert (request.user, request.items, request.tags, request.entities) == (
        "7",
        ["a", "12"],
        ["3"],
        {"artists": ["4"]},
    )
    for value in (1.5, True, None, "", "a\0b", "x" * (schemas.MAX_ID + 1), 2**70):
        assert {loc[:2] for loc, _ in mistakes(RecommendRequest, {"items": [value]})} == {("items", 0)}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"nn": 3}, ("nn",)),
        ({"n": "3"}, ("n",)),
        ({"n": 0}, ("n",)),
        ({"n": schemas.MAX_N + 1}, ("n",)),
        ({"n": 3.0}, ("n",)),
        ({"time": float("nan")}, ("time",)),
        ({"item_weights": [float("inf")], "items": ["a"]}, ("item_weights", 0)),
        ({"text": 3}, ("text",)),
        ({"text": "x" * (schemas.MAX_TEXT + 1)}, ("text",)),
        ({"text": "\ud800"}, ("text",)),
        ({"items": "abc"}, ("items",)),
        ({"items": ["a"] * (schemas.MAX_IDS + 1)}, ("items",)),
        ({"filters": [{"column": "year"}]}, ("filters", 0)),
        ({"filters": [{"column": "year", "is": 3, "from": 4}]}, ("filters", 0)),
        ({"filters": [{"column": "year", "from": 4, "to": 3}]}, ("filters", 0)),
        ({"filters": [{"column": "year", "is_": 3}]}, ("filters", 0, "is_")),
        ({"filters": [{"column": "year", "is": 3}] * (schemas.MAX_FILTERS + 1)}, ("filters",)),
        ({"explain": 1}, ("explain",)),
        ({"items": ["a"], "item_times": []}, ()),
        ({"context": {"": 3}}, ("context", "", "[key]")),
    ],
)
def test_a_mistake_has_its_key_path(body, path):
    assert path in {loc for loc, _ in mistakes(RecommendRequest, body)}


def test_numbers_are_finite():
    for number in (float("nan"), float("inf"), -float("inf")):
        assert mistakes(RecommendRequest, {"time": number}) == [(("time",), "finite_number")]
    assert mistakes(RecommendRequest, {"time": 1e301}) == [(("time",), "less_than_equal")]


def test_values_of_columns_keep_their_types():
    context = {"device": "phone", "hour": 3, "price": 2.5, "new": True, "genres": ["a", "b"], "gone": None}
    assert RecommendRequest.model_validate({"context": context}).context == context
    assert type(RecommendRequest.model_validate({"context": {"new": True}}).context["new"]) is bool


def test_filters_take_their_keys_from_json():
    rule = FilterRule.model_validate({"column": "year", "from": 1970, "to": 1980, "not": True})
    assert (rule.column, rule.from_, rule.to, rule.not_) == ("year", 1970, 1980, True)
    assert rule.model_dump(by_alias=True, exclude_defaults=True) == {
        "column": "year",
        "from": 1970,
        "to": 1980,
        "not": True,
    }


def test_bodies_with_many_have_bounds():
    assert mistakes(RecommendRequests, {"queries": []}) == [(("queries",), "too_short")]
    assert mistakes(RecommendRequests, {"queries": [{}] * (schemas.MAX_QUERIES + 1)}) == [(("queries",), "too_long")]
    event = {"user": "u", "item": "i", "kind": "play"}
    assert mistakes(EventsRequest, {"events": [event] * (schemas.MAX_EVENTS + 1)}) == [(("events",), "too_long")]


def test_similar_asks_for_an_id_or_a_text():
    assert SimilarRequest.model_validate({"component": "als", "id": 5}).id == "5"
    for body in ({"component": "als"}, {"component": "als", "id": "a", "text": "b"}):
        assert mistakes(SimilarRequest, body) == [((), "value_error")]
