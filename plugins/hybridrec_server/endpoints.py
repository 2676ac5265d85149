"""The table of endpoints: routes, scopes of keys, OpenAPI and the page about it all come from its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from hybridrec_server import schemas
from hybridrec_server.security import Scope


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address with one method.

    name: name of the handler, the `operationId`, and the label in metrics and log lines
    scope: what an API key has to have; None if the endpoint asks for no key
    request: model of the JSON body, or of several alternatives
    parameters: model of the parameters behind the `?`
    response: model of the answer; None for text
    problems: kinds of problems beside those that every endpoint of its sort has
    statuses: further statuses that come with the same model
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    scope: Scope | None
    response: type[BaseModel] | tuple[type[BaseModel], ...] | None
    request: tuple[type[BaseModel], ...] = ()
    parameters: type[BaseModel] | None = None
    problems: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    media_type: str = "application/json"
    examples: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of problems that this endpoint answers with."""
        kinds = [*self.problems, "host", "internal"]
        if self.scope is not None:
            kinds += ["no-key", "rate"]
        if self.scope == "admin":
            kinds += ["forbidden"]
        if self.request:
            kinds += ["malformed", "body-timeout", "too-large", "media-type", "invalid"]
        if self.parameters is not None:
            kinds += ["invalid"]
        return tuple(dict.fromkeys(kinds))


_QUERY = {"items": ["dark-star", "sugaree"], "n": 10}
_EVENT = {"id": "e-1", "request": "r-1", "user": "visitor-7", "item": "dark-star", "kind": "like", "time": 1767225600}
_PLACE = {"place": 1, "id": "bertha", "title": "Bertha", "score": 0.83}
_ANSWER = {
    "request": "r-1",
    "pipeline": "hybrid",
    "bundle": "4f2a9c1be07d",
    "target": "items",
    "served_by": "blend:items",
    "degraded": False,
    "items": [_PLACE],
    "next": None,
    "warnings": [],
}
ENDPOINTS = (
    Endpoint(
        name="recommend",
        method="POST",
        path="/v1/recommend",
        summary="Recommend for one request, or for several in `queries`.",
        scope="read",
        request=(schemas.RecommendRequest, schemas.RecommendRequests),
        response=(schemas.Answer, schemas.Answers),
        problems=("overloaded",),
        examples={
            "a history": _QUERY,
            "a person": {"user": "visitor-7", "n": 10},
            "free words and a filter": {"text": "acoustic evening", "filters": [{"column": "year", "from": 1970}]},
            "several": {"queries": [_QUERY, {"user": "visitor-7"}]},
        },
        answer=_ANSWER,
    ),
    Endpoint(
        name="explain",
        method="POST",
        path="/v1/explain",
        summary="Recommend with reasons, and with the candidates that the slate was chosen from.",
        scope="read",
        request=(schemas.RecommendRequest,),
        response=schemas.ExplainedAnswer,
        problems=("overloaded",),
        examples={"a history": _QUERY},
        answer=_ANSWER
        | {
            "candidates": {
                "ids": ["bertha"],
                "titles": ["Bertha"],
                "columns": {"ease": [0.9], "als": [None]},
                "weights": {"ease": 0.7, "als": 0.3},
            }
        },
    ),
    Endpoint(
        name="similar",
        method="POST",
        path="/v1/similar",
        summary="Find the nearest entities in the space of a component.",
        scope="read",
        request=(schemas.SimilarRequest,),
        response=schemas.Neighbours,
        problems=("overloaded",),
        examples={"an item": {"component": "als", "id": "dark-star", "n": 5}},
        answer={
            "component": "als",
            "bundle": "4f2a9c1be07d",
            "neighbours": [{"id": "bertha", "title": "Bertha", "similarity": 0.91, "count": 394}],
            "warnings": [],
        },
    ),
    Endpoint(
        name="search",
        method="GET",
        path="/v1/search",
        summary="Find titles and ids while they are typed.",
        scope="read",
        parameters=schemas.SearchRequest,
        response=schemas.Hits,
        problems=("overloaded",),
        answer={
            "bundle": "4f2a9c1be07d",
            "hits": [{"id": "dark-star", "title": "Dark Star", "kind": "items", "score": 1.0}],
        },
    ),
    Endpoint(
        name="item",
        method="GET",
        path="/v1/items/{id}",
        summary="Return the data about one item, or with `kind` about another entity.",
        scope="read",
        parameters=schemas.ItemParameters,
        response=schemas.ItemDetails,
        problems=("not-found", "overloaded"),
        answer={"id": "dark-star", "title": "Dark Star", "kind": "items", "count": 214, "bundle": "4f2a9c1be07d"},
    ),
    Endpoint(
        name="pipelines",
        method="GET",
        path="/v1/pipelines",
        summary="Return the pipelines, and all names that a request may use.",
        scope="read",
        response=schemas.Pipelines,
        problems=("overloaded",),
    ),
    Endpoint(
        name="events",
        method="POST",
        path="/v1/events",
        summary="Take what persons did; the next request of each knows it.",
        scope="read",
        request=(schemas.EventsRequest,),
        response=schemas.EventsWritten,
        problems=("not-found", "overloaded"),
        examples={"a like": {"events": [_EVENT]}},
        answer={"accepted": 1, "repeated": 0},
    ),
    Endpoint(
        name="live",
        method="GET",
        path="/health/live",
        summary="Say that the server runs.",
        scope=None,
        response=schemas.Live,
        answer={"live": True},
    ),
    Endpoint(
        name="ready",
        method="GET",
        path="/health/ready",
        summary="Say with which bundle each worker serves; 503 while the server is not ready.",
        scope=None,
        response=schemas.Ready,
        statuses=(503,),
    ),
    Endpoint(
        name="metrics",
        method="GET",
        path="/metrics",
        summary="Return the metrics in the text format of Prometheus.",
        scope="read",
        response=None,
        media_type="text/plain",
    ),
    Endpoint(
        name="reload",
        method="POST",
        path="/admin/reload",
        summary="Check a bundle and let all workers swap to it, or none.",
        scope="admin",
        request=(schemas.ReloadRequest,),
        response=schemas.Reloaded,
        problems=("overloaded",),
        statuses=(409,),
        examples={"the same path again": {}, "only a check": {"bundle": "next.hybridrec", "dry_run": True}},
    ),
    Endpoint(
        name="rollback",
        method="POST",
        path="/admin/rollback",
        summary="Swap back to the bundle that served before.",
        scope="admin",
        request=(schemas.RollbackRequest,),
        response=schemas.Reloaded,
        problems=("overloaded",),
        statuses=(409,),
        examples={"back": {}},
    ),
)
