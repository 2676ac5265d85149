"""A dispatcher and a log of events in memory, and a server of them in this process."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from hybridrec_server.app import ServerApp
from hybridrec_server.handlers import Handlers
from hybridrec_server.journal.base import ServedRecord
from hybridrec_server.log import Log
from hybridrec_server.protocols import NotFound, NullMetrics, RequestProblem, ServedAnswer
from hybridrec_server.schemas import Check, Ready, RecommendRequest, Reloaded, WorkerStatus
from hybridrec_server.security import Keyring, keyring
from hybridrec_server.settings import ServerSettings
from hybridrec_server.state.base import Event, Written

BUNDLE = "0123456789ab"


@dataclass
class FakeDispatcher:
    """A dispatcher that answers every request with the items a, b, ... and remembers what it was asked."""

    asked: list[RecommendRequest] = field(default_factory=list)
    questions: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: Exception | None = None
    delay: float = 0.0
    steps: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.steps.append("start")

    async def stop(self, drain: float) -> None:
        self.steps.append("stop")

    async def recommend(self, request: RecommendRequest) -> ServedAnswer:
        self.asked.append(request)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        if request.pipeline not in (None, "hybrid"):
            raise RequestProblem("pipeline", f"no pipeline is named '{request.pipeline}'; available are hybrid")
        body = orjson.dumps(answer(request))
        segments = {"known-fields": "items" if request.items else "nothing"}
        return ServedAnswer(body, request.id or "", "hybrid", BUNDLE, "ease", segments=segments)

    async def ask(self, method: str, arguments: Mapping[str, Any]) -> bytes:
        self.questions.append((method, dict(arguments)))
        if self.error is not None:
            raise self.error
        if method == "item" and arguments["id"] != "a/b":
            raise NotFound(f"no entity of the kind '{arguments['kind']}' has this id")
        return orjson.dumps(OTHERS[method])

    async def reload(self, bundle: Path | None, dry_run: bool) -> Reloaded:
        if self.error is not None:
            raise self.error
        self.steps.append(f"reload {bundle} {dry_run}")
        passed = bundle is None or bundle.name != "bad.hybridrec"
        check = Check(name="checksums", passed=passed, message="" if passed else "arrays differ")
        return Reloaded(swapped=passed and not dry_run, bundle=BUNDLE, before=BUNDLE, checks=[check])

    async def rollback(self) -> Reloaded:
        return Reloaded(swapped=True, bundle=BUNDLE, before=BUNDLE)

    def status(self) -> Ready:
        return Ready(ready=True, bundle=BUNDLE, workers=[WorkerStatus(worker=1, state="ready", bundle=BUNDLE)], queue=0)


def answer(request: RecommendRequest) -> dict[str, Any]:
    ids = [chr(97 + place) for place in range(min(request.n or 3, 20))]
    items = [{"place": place + 1, "id": each, "title": each.upper(), "score": 1.0} for place, each in enumerate(ids)]
    head = {"request": request.id, "pipeline": "hybrid", "bundle": BUNDLE, "target": request.target}
    return {**head, "served_by": "ease", "degraded": False, "items": items, "next": None, "warnings": []}


_CANDIDATES = {"ids": ["a"], "titles": ["A"], "columns": {"ease": [0.5], "als": [None]}, "weights": {"ease": 1.0}}
OTHERS: dict[str, Any] = {
    "explain": {**answer(RecommendRequest(id="r")), "candidates": _CANDIDATES},
    "similar": {
        "component": "als",
        "bundle": BUNDLE,
        "neighbours": [{"id": "b", "title": "B", "similarity": 0.5, "count": 3}],
        "warnings": [],
    },
    "search": {"bundle": BUNDLE, "hits": [{"id": "a", "title": "A", "kind": "items", "score": 1.0}]},
    "item": {"id": "a/b", "title": "A", "kind": "items", "count": 3, "bundle": BUNDLE},
    "pipelines": {
        "name": "toy",
        "bundle": BUNDLE,
        "default": "hybrid",
        "pipelines": [
            {"name": "hybrid", "generators": ["ease"], "scorers": [], "rerankers": [], "fallback": ["popularity"]}
        ],
        "targets": {"items": 10},
        "kinds": ["items", "tags"],
        "components": ["ease"],
        "filters": {"items": [{"name": "year", "type": "number", "smallest": 1970, "largest": 1995}]},
        "knows_users": True,
    },
}


@dataclass
class FakeEvents:
    """A log of events and answers in memory."""

    events: dict[str, Event] = field(default_factory=dict)
    answers: list[ServedRecord] = field(default_factory=list)
    error: Exception | None = None
    steps: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.steps.append("start events")

    async def stop(self) -> None:
        self.steps.append("stop events")

    async def write(self, events: Sequence[Event]) -> Written:
        if self.error is not None:
            raise self.error
        new = tuple(event.id not in self.events for event in events)
        self.events |= {event.id: event for event, is_new in zip(events, new, strict=True) if is_new}
        return Written(new)

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        if self.error is not None:
            raise self.error
        self.answers += records


class FakeServer:
    """The application of a server, with fake parts; `ask` sends a request to it without a socket."""

    def __init__(self, environment: Mapping[str, str] | None = None, events_kept: bool = True, **settings: Any) -> None:
        self.settings = ServerSettings(bundle=Path("toy.hybridrec"), **settings)
        self.dispatcher, self.metrics = FakeDispatcher(), NullMetrics()
        self.events = FakeEvents() if events_kept else None
        self.stream = io.StringIO()
        self.log = Log("json", self.stream)
        self.keys: Keyring = keyring(self.settings, environment or {})
        self.handlers = Handlers(self.settings, self.dispatcher, self.metrics, self.log, self.keys, self.events)
        self.app = ServerApp(self.handlers, self.settings, self.metrics, self.log, self.keys)

    def ask(self, method: str, path: str, body: Any = None, headers: Any = (), **options: Any) -> httpx.Response:
        """Send one request; `body` is JSON as text or bytes, or a value."""
        stated = dict(headers)
        if body is not None:
            options["content"] = body if isinstance(body, str | bytes) else orjson.dumps(body)
            stated.setdefault("content-type", "application/json")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, headers=stated, **options)

        return asyncio.run(send())

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines; no more are written afterwards."""
        self.log.close()
        return [orjson.loads(line) for line in self.stream.getvalue().splitlines()]
