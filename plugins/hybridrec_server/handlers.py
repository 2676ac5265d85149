"""The handlers of the endpoints: a method of the name of each row of the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from hybridrec_server import bodies
from hybridrec_server.exchange import Exchange, Reply
from hybridrec_server.journal.base import ServedRecord
from hybridrec_server.problems import Problem, invalid, of_validation
from hybridrec_server.protocols import Dispatcher, KeptEvents, Metrics, RequestProblem, ServedAnswer
from hybridrec_server.schemas import (
    EventsRequest,
    EventsWritten,
    ItemParameters,
    Live,
    RecommendRequest,
    RecommendRequests,
    Reloaded,
    ReloadRequest,
    RollbackRequest,
    SearchRequest,
    SimilarRequest,
)
from hybridrec_server.security import Keyring
from hybridrec_server.state.base import Event

if TYPE_CHECKING:
    from hybridrec_server.log import Log
    from hybridrec_server.settings import ServerSettings

BODY_SECONDS = 10.0
"""Seconds within which a body has to come."""
CLOCKS_DIFFER = 300.0
"""Seconds by which the clock of a client may be ahead; a time beyond it is a mistake, such as one in milliseconds."""
EVENTS_A_REQUEST = 100
"""Number of events in a body that count as one request for the rate of a key."""

Model = TypeVar("Model", bound=BaseModel)


class Handlers:
    """The handlers, with the parts of the server that they ask; the caller starts and stops the parts.

    draining: True once the server is about to end: it is not ready any more, and finishes what it accepted
    on_reload: is called before the bundle at the path of the server is loaded again
    """

    def __init__(
        self,
        settings: ServerSettings,
        dispatcher: Dispatcher,
        metrics: Metrics,
        log: Log,
        keys: Keyring,
        events: KeptEvents | None = None,
    ) -> None:
        """Take the parts.

        events: the log of events and answers; without one events are refused, and no answers are kept
        """
        self.draining = False
        self.on_reload: Callable[[], None] = lambda: None
        self._settings = settings
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._log = log
        self._keys = keys
        self._events = events

    async def _body(self, exchange: Exchange) -> dict[str, Any]:
        body = await bodies.read_body(exchange.headers, exchange.receive, self._settings.body, BODY_SECONDS)
        return bodies.parse(body)

    async def recommend(self, exchange: Exchange) -> Reply:
        """Answer one request, or several."""
        body = await self._body(exchange)
        if "queries" not in body:
            request = _validated(RecommendRequest, body)
            answers = [await self._dispatcher.recommend(_named(request, exchange.received))]
            self._keep([request], answers, exchange)
            return Reply(answers[0].body)
        requests = _validated(RecommendRequests, body).queries
        exchange.values["queries"] = len(requests)
        self._keys.spend(exchange.key, len(requests) - 1)
        _refuse_repeated(requests)
        asked = [self._dispatcher.recommend(_named(request, exchange.received)) for request in requests]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        answers = []
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, RequestProblem):
                path = f"queries[{place}]" + (f".{outcome.path}" if outcome.path else "")
                raise RequestProblem(path, outcome.message)
            if isinstance(outcome, BaseException):
                raise outcome
            answers.append(outcome)
        self._keep(requests, answers, exchange)
        return Reply(b'{"answers":[' + b",".join(answer.body for answer in answers) + b"]}")

    def _keep(self, requests: Sequence[RecommendRequest], answers: Sequence[ServedAnswer], exchange: Exchange) -> None:
        """Write answers to the journal, and what is said of them to the log line."""
        exchange.values["pipeline"] = answers[0].pipeline
        exchange.values["degraded"] = sum(answer.degraded for answer in answers) or None
        if self._settings.log_persons:
            exchange.values["users"] = [request.user for request in requests if request.user is not None]
        if self._events is not None:
            self._events.append_answers(
                [
                    ServedRecord(
                        answer.body,
                        request.user,
                        exchange.received if request.time is None else request.time,
                        exchange.received,
                        segments=answer.segments,
                    )
                    for request, answer in zip(requests, answers, strict=True)
                ]
            )

    async def explain(self, exchange: Exchange) -> Reply:
        """Answer one request with its candidates."""
        request = _named(_validated(RecommendRequest, await self._body(exchange)), exchange.received)
        return Reply(await self._dispatcher.ask("explain", request.model_dump(exclude_defaults=True, by_alias=True)))

    async def similar(self, exchange: Exchange) -> Reply:
        """Answer with neighbours."""
        request = _validated(SimilarRequest, await self._body(exchange))
        return Reply(await self._dispatcher.ask("similar", request.model_dump()))

    async def search(self, exchange: Exchange) -> Reply:
        """Answer with matches of what is typed."""
        request = _validated(SearchRequest, _parameters(exchange), strict=False)
        return Reply(await self._dispatcher.ask("search", request.model_dump()))

    async def item(self, exchange: Exchange) -> Reply:
        """Answer with the data about an entity."""
        request = _validated(ItemParameters, _parameters(exchange), strict=False)
        name = exchange.scope["path_params"]["id"]
        return Reply(await self._dispatcher.ask("item", {"id": name, "kind": request.kind}))

    async def pipelines(self, exchange: Exchange) -> Reply:
        """Answer with all names that a request may use."""
        return Reply(await self._dispatcher.ask("pipelines", {}))

    async def events(self, exchange: Exchange) -> Reply:
        """Commit events; answer how many are new."""
        if self._events is None:
            raise Problem("not-found", "this server keeps no events: it was started with `state: none`")
        request = _validated(EventsRequest, await self._body(exchange))
        self._check_events(request, exchange.received)
        self._keys.spend(exchange.key, (len(request.events) - 1) // EVENTS_A_REQUEST)
        now = exchange.received
        events = [
            Event(
                id=event.id or token_hex(16),
                unit=event.user,
                item=event.item,
                kind=event.kind,
                time=now if event.time is None else event.time,
                received=now,
                value=event.value,
                request=event.request,
            )
            for event in request.events
        ]
        try:
            written = await self._events.write(events)
        except ValueError as error:
            raise RequestProblem("events", str(error)) from None
        committed = time.time()
        lags = [committed - event.time for event, is_new in zip(events, written.new, strict=True) if is_new]
        self._metrics.count_events(written.accepted, written.repeated, lags)
        exchange.values["events"] = len(events)
        return _reply(EventsWritten(accepted=written.accepted, repeated=written.repeated))

    def _check_events(self, request: EventsRequest, now: float) -> None:
        kinds, mistakes = self._settings.events, []
        for place, event in enumerate(request.events):
            if event.kind not in kinds:
                mistakes.append((f"events[{place}].kind", f"the server knows {', '.join(kinds)}"))
            if event.time is not None and event.time > now + CLOCKS_DIFFER:
                mistakes.append((f"events[{place}].time", "the time is to come; right are seconds since 1970"))
        if mistakes:
            raise invalid(mistakes)

    async def live(self, exchange: Exchange) -> Reply:
        """Answer that the event loop runs."""
        return _reply(Live())

    async def ready(self, exchange: Exchange) -> Reply:
        """Answer with the state of each worker."""
        status = self._dispatcher.status()
        if self.draining:
            status = status.model_copy(update={"ready": False})
        return _reply(status, 200 if status.ready else 503)

    async def metrics(self, exchange: Exchange) -> Reply:
        """Answer with the text of the metrics."""
        return Reply(self._metrics.render(), media_type=b"text/plain; version=0.0.4; charset=utf-8")

    async def reload(self, exchange: Exchange) -> Reply:
        """Swap to another bundle, or say why not."""
        request = _validated(ReloadRequest, await self._body(exchange))
        path = None if request.bundle is None else Path(request.bundle)
        if path is None and not request.dry_run:
            self.on_reload()
        return self._swapped(await self._dispatcher.reload(path, request.dry_run))

    async def rollback(self, exchange: Exchange) -> Reply:
        """Swap back to the bundle before."""
        _validated(RollbackRequest, await self._body(exchange))
        return self._swapped(await self._dispatcher.rollback())

    def _swapped(self, outcome: Reloaded) -> Reply:
        log_outcome(self._log, outcome)
        return _reply(outcome, 200 if all(check.passed for check in outcome.checks) else 409)


def log_outcome(log: Log, outcome: Reloaded) -> None:
    """Log the outcome of a reload or roll-back, with the checks that refused the bundle."""
    failed = [f"{check.name}: {check.message}" for check in outcome.checks if not check.passed]
    tell = log.warning if failed else log.info
    tell("reload", swapped=outcome.swapped, bundle=outcome.bundle, before=outcome.before, failed=failed or None)


def _reply(model: BaseModel, status: int = 200) -> Reply:
    return Reply(model.model_dump_json().encode(), status)


def _validated(model: type[Model], body: dict[str, Any], strict: bool = True) -> Model:
    """Return a body as a model; raises Problem with the key path of each mistake.

    strict: False for parameters of an address, which are all text
    """
    try:
        return model.model_validate(body, strict=strict)
    except ValidationError as error:
        raise of_validation(error, body, model) from None


def _named(request: RecommendRequest, now: float) -> RecommendRequest:
    """Return a request that has a name and a time."""
    if request.id is None:
        request.id = token_hex(16)
    if request.time is None:
        request.time = now
    return request


def _refuse_repeated(requests: Sequence[RecommendRequest]) -> None:
    """Raise Problem for two requests of one name: the journal could not tell their answers apart."""
    places: dict[str, int] = {}
    for place, request in enumerate(requests):
        if request.id is not None and (first := places.setdefault(request.id, place)) != place:
            raise invalid([(f"queries[{place}].id", f"queries[{first}] has this id, too; give each its own")])


def _parameters(exchange: Exchange) -> dict[str, Any]:
    """Return the parameters of the address; raises Problem for one that stands twice or is not UTF-8."""
    try:
        pairs = parse_qsl(
            exchange.scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        raise invalid([("", "the parameters of the address are not text in UTF-8, at most 20 of them")]) from None
    values: dict[str, Any] = dict(pairs)
    if len(values) != len(pairs):
        raise invalid([(name, "the parameter stands twice") for name in values if sum(n == name for n, _ in pairs) > 1])
    return values
