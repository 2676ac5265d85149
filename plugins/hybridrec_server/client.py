"""A typed client of the HTTP interface, as functions that wait (`Client`) and as coroutines (`AsyncClient`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from hybridrec import HybridrecError
from hybridrec_server.schemas import (
    Answer,
    Answers,
    EventBody,
    EventsRequest,
    EventsWritten,
    ExplainedAnswer,
    Hits,
    ItemDetails,
    Neighbours,
    Pipelines,
    Problem,
    Ready,
    RecommendRequest,
    RecommendRequests,
    Reloaded,
    ReloadRequest,
    RollbackRequest,
    SimilarRequest,
)

Model = TypeVar("Model", bound=BaseModel)
TIMEOUT = 10.0
"""Seconds for which a client waits for an answer."""
Request = RecommendRequest | Mapping[str, Any]
"""A request as a model, or as the mapping that its JSON has."""
Event = EventBody | Mapping[str, Any]
"""An event as a model, or as the mapping that its JSON has."""


class ServerError(HybridrecError):
    """The error for a response that is not an answer.

    problem: the problem details; None if something between client and server answered
    retry_after: seconds after which another try is worth while, None if the server says nothing of it
    """

    def __init__(self, message: str, status: int, problem: Problem | None, retry_after: float | None) -> None:
        """Set the fields of the error."""
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Call(Generic[Model]):
    """One call: what is sent, and the model of its answer; a status of `also` is an answer, too."""

    method: str
    path: str
    model: type[Model]
    body: BaseModel | None = None
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    also: tuple[int, ...] = ()

    def options(self) -> dict[str, Any]:
        """Return the arguments of httpx for this call."""
        options: dict[str, Any] = {"method": self.method, "url": self.path, "params": dict(self.parameters)}
        if self.body is not None:
            options["content"] = self.body.model_dump_json(by_alias=True, exclude_unset=True)
            options["headers"] = {"content-type": "application/json"}
        return options

    def answer(self, response: httpx.Response) -> Model:
        """Return the answer as a model; raises ServerError for any other response."""
        if response.status_code == 200 or response.status_code in self.also:
            with suppress(ValidationError):  # below: a proxy that answers with a page of its own
                return self.model.model_validate_json(response.content)
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            problem = None
        retry_after = response.headers.get("retry-after", "")
        raise ServerError(
            _message(response, problem),
            response.status_code,
            problem,
            float(retry_after) if retry_after.isdigit() else None,
        )


def _message(response: httpx.Response, problem: Problem | None) -> str:
    place = f"{response.request.method} {response.request.url.path}: {response.status_code}"
    if problem is None:
        told = "; the answer is not one of a hybridrec server: is this its address?" if response.is_success else ""
        return f"{place} {response.reason_phrase}{told}"
    mistakes = "".join(f"\n  {mistake.path or 'the request'}: {mistake.message}" for mistake in problem.errors)
    return f"{place} {problem.title}: {problem.detail}{mistakes}"


def _recommend(request: Request) -> _Call[Answer]:
    return _Call("POST", "/v1/recommend", Answer, RecommendRequest.model_validate(request))


def _recommend_many(requests: Sequence[Request]) -> _Call[Answers]:
    several = [RecommendRequest.model_validate(request) for request in requests]
    return _Call("POST", "/v1/recommend", Answers, RecommendRequests(queries=several))


def _explain(request: Request) -> _Call[ExplainedAnswer]:
    return _Call("POST", "/v1/explain", ExplainedAnswer, RecommendRequest.model_validate(request))


def _similar(request: SimilarRequest | Mapping[str, Any]) -> _Call[Neighbours]:
    return _Call("POST", "/v1/similar", Neighbours, SimilarRequest.model_validate(request))


def _search(q: str, kind: str, n: int) -> _Call[Hits]:
    return _Call("GET", "/v1/search", Hits, parameters={"q": q, "kind": kind, "n": n})


def _item(name: str, kind: str) -> _Call[ItemDetails]:
    if name in ("", ".", ".."):
        raise HybridrecError(f"the id '{name}' cannot stand in an address: right is any text but '', '.' and '..'")
    return _Call("GET", f"/v1/items/{quote(name, safe='')}", ItemDetails, parameters={"kind": kind})


def _events(events: Sequence[Event]) -> _Call[EventsWritten]:
    body = EventsRequest(events=[EventBody.model_validate(event) for event in events])
    return _Call("POST", "/v1/events", EventsWritten, body)


def _reload(bundle: str | None, dry_run: bool) -> _Call[Reloaded]:
    body = ReloadRequest(bundle=bundle, dry_run=dry_run)
    return _Call("POST", "/admin/reload", Reloaded, body, also=(409,))


_PIPELINES = _Call("GET", "/v1/pipelines", Pipelines)
_READY = _Call("GET", "/health/ready", Ready, also=(503,))
_ROLLBACK = _Call("POST", "/admin/rollback", Reloaded, RollbackRequest(), also=(409,))


def _options(url: str, key: str | None, timeout: float) -> dict[str, Any]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return {"base_url": url, "headers": headers, "timeout": timeout}


class Client:
    """A client that waits for each answer.

    Methods raise ServerError for problems that the server answers with, pydantic's ValidationError for a request that
    does not follow its model, and the errors of httpx for a server that cannot be reached.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, **options: Any) -> None:
        """Take the address of a server, and an API key if it has keys.

        timeout: seconds to wait for an answer
        options: further arguments of `httpx.Client`
        """
        self._http = httpx.Client(**{**_options(url, key, timeout), **options})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, call: _Call[Model]) -> Model:
        return call.answer(self._http.request(**call.options()))

    def recommend(self, request: Request) -> Answer:
        """Return the slate for one request."""
        return self._send(_recommend(request))

    def recommend_many(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the slates for several requests, in their order."""
        return self._send(_recommend_many(requests)).answers

    def explain(self, request: Request) -> ExplainedAnswer:
        """Return the slate for one request with its candidates and reasons."""
        return self._send(_explain(request))

    def similar(self, request: SimilarRequest | Mapping[str, Any]) -> Neighbours:
        """Return the neighbours of an entity, nearest first."""
        return self._send(_similar(request))

    def search(self, q: str, kind: str = "items", n: int = 10) -> Hits:
        """Return the titles and ids that match what was typed."""
        return self._send(_search(q, kind, n))

    def item(self, name: str, kind: str = "items") -> ItemDetails:
        """Return the data about an item, or another entity; raises HybridrecError for the ids '.' and '..'."""
        return self._send(_item(name, kind))

    def pipelines(self) -> Pipelines:
        """Return the pipelines, and all names that a request may use."""
        return self._send(_PIPELINES)

    def events(self, events: Sequence[Event]) -> EventsWritten:
        """Send what persons did; return after it was committed. An event with an `id` may be sent again."""
        return self._send(_events(events))

    def ready(self) -> Ready:
        """Return the state of each worker, also while the server is not ready."""
        return self._send(_READY)

    def reload(self, bundle: str | None = None, *, dry_run: bool = False) -> Reloaded:
        """Swap to another bundle; the outcome says what refused it."""
        return self._send(_reload(bundle, dry_run))

    def rollback(self) -> Reloaded:
        """Swap back to the bundle that served before."""
        return self._send(_ROLLBACK)


class AsyncClient:
    """A client of coroutines.

    Methods raise ServerError for problems that the server answers with, pydantic's ValidationError for a request that
    does not follow its model, and the errors of httpx for a server that cannot be reached.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, **options: Any) -> None:
        """Take the address of a server, and an API key if it has keys.

        timeout: seconds to wait for an answer
        options: further arguments of `httpx.AsyncClient`
        """
        self._http = httpx.AsyncClient(**{**_options(url, key, timeout), **options})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, call: _Call[Model]) -> Model:
        return call.answer(await self._http.request(**call.options()))

    async def recommend(self, request: Request) -> Answer:
        """Return the slate for one request."""
        return await self._send(_recommend(request))

    async def recommend_many(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the slates for several requests, in their order."""
        return (await self._send(_recommend_many(requests))).answers

    async def explain(self, request: Request) -> ExplainedAnswer:
        """Return the slate for one request with its candidates and reasons."""
        return await self._send(_explain(request))

    async def similar(self, request: SimilarRequest | Mapping[str, Any]) -> Neighbours:
        """Return the neighbours of an entity, nearest first."""
        return await self._send(_similar(request))

    async def search(self, q: str, kind: str = "items", n: int = 10) -> Hits:
        """Return the titles and ids that match what was typed."""
        return await self._send(_search(q, kind, n))

    async def item(self, name: str, kind: str = "items") -> ItemDetails:
        """Return the data about an item, or another entity; raises HybridrecError for the ids '.' and '..'."""
        return await self._send(_item(name, kind))

    async def pipelines(self) -> Pipelines:
        """Return the pipelines, and all names that a request may use."""
        return await self._send(_PIPELINES)

    async def events(self, events: Sequence[Event]) -> EventsWritten:
        """Send what persons did; return after it was committed. An event with an `id` may be sent again."""
        return await self._send(_events(events))

    async def ready(self) -> Ready:
        """Return the state of each worker, also while the server is not ready."""
        return await self._send(_READY)

    async def reload(self, bundle: str | None = None, *, dry_run: bool = False) -> Reloaded:
        """Swap to another bundle; the outcome says what refused it."""
        return await self._send(_reload(bundle, dry_run))

    async def rollback(self) -> Reloaded:
        """Swap back to the bundle that served before."""
        return await self._send(_ROLLBACK)
