"""A small server for the playground: its answers keep `schemas`, its models are arithmetic, its state is a list."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ValidationError

import hybridrec_server
from hybridrec_server.schemas import (
    EventsRequest,
    EventsWritten,
    ExplainedAnswer,
    Hits,
    ItemDetails,
    Pipelines,
    Problem,
    RecommendRequest,
    SearchRequest,
)

SONGS = [
    "Dark Star", "Sugaree", "Bertha", "Truckin'", "Ripple", "Althea", "Scarlet Begonias", "Fire on the Mountain",
    "Eyes of the World", "Franklin's Tower", "Help on the Way", "Slipknot!", "Jack Straw", "Deal", "Loser", "Cassidy",
    "Estimated Prophet", "Terrapin Station", "Morning Dew", "Wharf Rat", "Stella Blue", "Black Peter",
    "Playing in the Band", "The Other One", "St. Stephen", "<b>Uncle</b> John's Band", "China Cat Sunflower",
    "I Know You Rider", "Shakedown Street", "Drums",
]  # fmt: skip
TAGS = ["year:1972", "year:1977", "tour:1977 spring", "country:US"]
MODELS = ["ease", "als", "tags"]
WEIGHTS = {"ease": 0.6, "als": 0.3, "tags": -0.1}
COLUMNS = [
    {"name": "decade", "type": "category", "values": ["1960s", "1970s"]},
    {"name": "minutes", "type": "number", "smallest": 2, "largest": 31},
    {"name": "written", "type": "time", "smallest": 0.0, "largest": 400_000_000.0},
    {"name": "cover", "type": "flag"},
]
FOLDER = "/folder/of/a/proxy"
KEY = "open sesame"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PLAYGROUND = Path(hybridrec_server.__file__).parent / "playground"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy of the server: nothing is inline, and nothing comes from elsewhere."""
MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}


class FakeBundle:
    """Models that hear of a song through the letters of what is stated, and a state of likes and dislikes."""

    def __init__(self) -> None:
        """Start without events; `asked` keeps what came in, `fault` is a problem to answer with."""
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, Any]] = []
        self.fault: Problem | None = None
        self.locked = False
        self.digest = "b" * 64
        self.minutes = 6.5
        self.titles: dict[str, str] = {}

    def pipelines(self) -> Pipelines:
        """Return the description of two pipelines."""
        names = {"hybrid": MODELS, "control": ["als"]}
        return Pipelines.model_validate(
            {
                "name": "fake concerts", "bundle": self.digest, "default": "hybrid",
                "pipelines": [
                    {"name": name, "generators": labels[:2], "scorers": labels[2:], "fallback": ["popularity"],
                     "rerankers": ["weighted"] if labels[1:] else []}
                    for name, labels in names.items()
                ],
                "targets": {"items": 10}, "kinds": ["items", "tags"], "components": [*MODELS, "popularity"],
                "filters": {"items": COLUMNS}, "knows_users": True,
            }
        )  # fmt: skip

    def explain(self, request: RecommendRequest) -> ExplainedAnswer:
        """Return a slate by the weights, with all songs as candidates."""
        mine = [event for event in self.events if event["user"] == request.user]
        liked = [event["item"] for event in mine if event["kind"] == "like"]
        disliked = [event["item"] for event in mine if event["kind"] == "dislike"]
        history = [*request.items, *liked]
        stated = " ".join([*history, *request.tags, request.text])
        kept = [
            song for song in range(len(SONGS))
            if SONGS[song] not in {*history, *disliked, *request.disliked}
            and all((song % 2 == 0) == (rule.is_ == "1960s") for rule in request.filters if rule.column == "decade")
        ]  # fmt: skip
        values = {label: [self.opinion(place, stated, song) for song in kept] for place, label in enumerate(MODELS)}
        labels = MODELS if request.pipeline in (None, "hybrid") else ["als"]
        weights = {label: WEIGHTS[label] for label in labels} if labels[1:] else {}
        parts = [
            {label: (weights or {"als": 1.0})[label] * (values[label][place] or 0) for label in labels}
            for place in range(len(kept))
        ]
        order = sorted(range(len(kept)), key=lambda place: -sum(parts[place].values()))
        start = int(request.cursor or 0)
        n = request.n or 10
        proposed = [[label for label in labels if values[label][place] is not None] for place in range(len(kept))]
        unknown = [song for song in request.items if song not in SONGS]
        return ExplainedAnswer.model_validate(
            {
                "request": f"r{len(self.asked)}", "pipeline": request.pipeline or "hybrid", "bundle": self.digest,
                "target": "items", "served_by": "blend:items" if history else "popularity",
                "items": [
                    {"place": rank + 1, "id": SONGS[kept[place]], "title": SONGS[kept[place]],
                     "score": sum(parts[place].values()), "sources": proposed[place],
                     "contributions": [{"label": k, "value": v} for k, v in parts[place].items()] if weights else []}
                    for rank, place in enumerate(order[start : start + n])
                ],
                "next": str(start + n) if start + n < len(kept) else None,
                "warnings": [
                    {"code": "unknown_id", "path": "items", "message": f"the data does not have {song}"}
                    for song in unknown
                ],
                "candidates": {
                    "ids": [SONGS[kept[place]] for place in order], "titles": [SONGS[kept[place]] for place in order],
                    "columns": {label: [values[label][place] for place in order] for label in labels},
                    "weights": weights, "sources": [proposed[place] for place in order],
                },
            }
        )  # fmt: skip

    def opinion(self, model: int, stated: str, song: int) -> float | None:
        """Return a number between 0 and 1 that follows from what is stated, or nothing."""
        number = sum((model + 3) * ord(letter) for letter in stated) + (model + 5) * (song * song + 11)
        return None if number % (model + 4) == 0 else number % 97 / 97

    def search(self, request: SearchRequest) -> Hits:
        """Return the names that hold the text."""
        names = {"items": SONGS, "tags": TAGS, "users": ["Ada", "Grace"]}.get(request.kind, [])
        hits = [name for name in names if request.q.lower() in name.lower()][: request.n]
        return Hits.model_validate(
            {
                "bundle": self.digest,
                "hits": [{"id": name, "title": name, "kind": request.kind, "score": 1} for name in hits],
            }
        )

    def item(self, name: str) -> ItemDetails:
        """Return the details of a song."""
        return ItemDetails.model_validate(
            {"id": name, "title": self.titles.get(name, name), "kind": "items", "count": 7,
             "features": {"minutes": self.minutes}, "entities": {"tags": ["year:1972"]}, "bundle": self.digest}
        )  # fmt: skip

    def write(self, request: EventsRequest) -> EventsWritten:
        """Keep events."""
        self.events += [event.model_dump() for event in request.events]
        return EventsWritten(accepted=len(request.events), repeated=0)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> BaseModel:
        """Return the model that answers a request."""
        if self.fault is not None:
            return self.fault
        match method, path:
            case "GET", "/v1/pipelines":
                return self.pipelines()
            case "GET", "/v1/search":
                return self.search(SearchRequest.model_validate({**query, "n": int(query["n"])}))
            case "GET", _ if path.startswith("/v1/items/"):
                return self.item(unquote(path.removeprefix("/v1/items/")))
            case "POST", "/v1/explain" | "/v1/recommend":
                return self.explain(RecommendRequest.model_validate_json(body))
            case "POST", "/v1/events":
                return self.write(EventsRequest.model_validate_json(body))
        return Problem(type="about:blank", title="Not found", status=404, detail=f"there is no {path}", trace=TRACE)


@contextmanager
def served(bundle: FakeBundle) -> Iterator[str]:
    """The address of the playground and of the bundle behind it, on a port of this machine, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path.removeprefix(FOLDER))
            file = PLAYGROUND / (address.path.removeprefix("/") or "index.html")
            if file.is_file():
                self.send(200, MEDIA_TYPES[file.suffix], file.read_bytes())
            else:
                self.reply("GET")

        def do_POST(self) -> None:
            self.reply("POST")

        def reply(self, method: str) -> None:
            address = urlsplit(self.path.removeprefix(FOLDER))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            bundle.asked.append((address.path, body.decode() or query))
            if bundle.locked and self.headers.get("Authorization") != f"Bearer {KEY}":
                answer: BaseModel = Problem(
                    type="about:blank", title="A key is needed", status=401, detail="Give one.", trace=TRACE
                )
            else:
                try:
                    answer = bundle.answer(method, address.path, query, body)
                except ValidationError as error:
                    answer = Problem(type="about:blank", title="Invalid", status=422, detail=str(error), trace=TRACE)
            problem = isinstance(answer, Problem)
            status = answer.status if isinstance(answer, Problem) else 200
            media_type = "application/problem+json" if problem else "application/json"
            self.send(status, media_type, answer.model_dump_json(by_alias=True).encode())

        def send(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            if status == 503:
                self.send_header("Retry-After", "2")
            with suppress(ConnectionError):  # the page has given the request up
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *values: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
