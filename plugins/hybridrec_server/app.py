"""The ASGI application: every request is admitted, handled, answered, counted and logged in one place."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles

from hybridrec_server import openapi, security
from hybridrec_server.bodies import ClientGone
from hybridrec_server.endpoints import ENDPOINTS, Endpoint
from hybridrec_server.exchange import Exchange, Reply
from hybridrec_server.journal.base import JournalFull
from hybridrec_server.problems import MEDIA_TYPE, Problem, invalid, overloaded
from hybridrec_server.protocols import Metrics, NotFound, Overloaded, RequestProblem
from hybridrec_server.security import Keyring
from hybridrec_server.state.base import Busy
from hybridrec_server.tracing import trace_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from hybridrec_server.handlers import Handlers
    from hybridrec_server.log import Log
    from hybridrec_server.settings import ServerSettings

PLAYGROUND = Path(__file__).parent / "playground"
"""Folder of the page at `/`."""
PAGES = Path(__file__).parent / "pages"
"""Folder of what the page about the endpoints needs."""


class ServerApp:
    """The ASGI application of a server."""

    def __init__(self, handlers: Handlers, settings: ServerSettings, metrics: Metrics, log: Log, keys: Keyring) -> None:
        """Build the routes from the table of endpoints, with the pages beside them."""
        self._handlers = handlers
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._keys = keys
        self._hosts = security.allowed_hosts(settings, keys)
        routes: list[Route | Mount] = [
            Route(endpoint.path.replace("{id}", "{id:path}"), _Route(self, endpoint), methods=[endpoint.method])
            for endpoint in ENDPOINTS
        ]
        document = openapi.document(ENDPOINTS)
        pages = {
            "/openapi.json": Reply(openapi.as_json(document)),
            "/api": Reply(openapi.page(document, _address(settings)), media_type=b"text/html; charset=utf-8"),
        }
        routes += [Route(path, _Page(reply), methods=["GET"]) for path, reply in pages.items()]
        routes.append(Mount("/pages", StaticFiles(directory=PAGES)))
        if not PLAYGROUND.is_dir():
            routes.append(Route("/", _Page(pages["/api"]), methods=["GET"]))
        # As default, not as a route: a known address with another method is not a file.
        files = StaticFiles(directory=PLAYGROUND, html=True) if PLAYGROUND.is_dir() else None
        self._router = Router(routes, redirect_slashes=False, default=files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        exchange = Exchange(scope, receive, send, headers, trace_of(headers.get(b"traceparent")), time.time())
        scope["exchange"] = exchange
        scope["app"] = self  # Starlette then raises HTTPException, in the place of answering by itself
        try:
            security.check_host(headers, self._hosts)
            await self._router(scope, receive, exchange.send)
        except ClientGone:
            exchange.values["gone"] = True
        except Exception as error:
            problem = self._problem(error, exchange)
            if exchange.status:  # the response has begun: it can only be cut
                raise
            reply = Reply(problem.body(exchange.trace.trace), problem.status, MEDIA_TYPE)
            await exchange.respond(reply, problem.headers)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.count_response(exchange.endpoint, exchange.status, seconds)
            self._log.info(
                "request",
                endpoint=exchange.endpoint,
                method=scope["method"],
                status=exchange.status,
                ms=round(seconds * 1e3, 2),
                trace=exchange.trace.trace,
                key=None if exchange.key is None else exchange.key.name,
                client=scope["client"][0] if self._settings.log_persons and scope.get("client") else None,
                **exchange.values,
            )

    def _problem(self, error: Exception, exchange: Exchange) -> Problem:
        """Return the problem that an error is answered with; a mistake of the server is logged with its traceback."""
        if isinstance(error, Problem):
            problem = error
        elif isinstance(error, RequestProblem):
            problem = invalid([(error.path, error.message)])
        elif isinstance(error, Overloaded):
            problem = overloaded(str(error), error.retry_after)
        elif isinstance(error, Busy):
            exchange.values["busy"] = str(error)  # it may name the database, which is nothing for clients
            problem = overloaded("events cannot be written or read now", error.retry_after)
        elif isinstance(error, JournalFull):
            problem = overloaded("the journal cannot be written", 10.0)
        elif isinstance(error, NotFound):
            problem = Problem("not-found", str(error))
        elif isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            problem = Problem("method", f"this address has {allowed}", headers={"allow": allowed})
        elif isinstance(error, HTTPException) and error.status_code < 500:
            problem = Problem("not-found", "there is nothing at this address; `/api` describes those that exist")
        else:
            text = "".join(traceback.format_exception(error))
            self._log.error("mistake", endpoint=exchange.endpoint, trace=exchange.trace.trace, traceback=text)
            return Problem("internal", "an error that the server did not expect; its log has the trace")
        exchange.values["problem"] = problem.kind
        return problem

    async def handle(self, endpoint: Endpoint, exchange: Exchange) -> None:
        """Admit a request, and answer it by the handler of its endpoint."""
        exchange.endpoint = endpoint.name
        if endpoint.scope is not None:
            exchange.key = self._keys.admit(exchange.headers, endpoint.scope)
            if endpoint.scope == "admin" and exchange.key is None and not self._settings.loopback:
                raise Problem("forbidden", "the server is open to anybody, so that it takes no admin requests")
        reply: Reply = await getattr(self._handlers, endpoint.name)(exchange)
        await exchange.respond(reply)


def _address(settings: ServerSettings) -> str:
    """Return the address for examples; one that stands for every address is shown as loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port or 8080}"


class _Route:
    """The ASGI application of one endpoint."""

    def __init__(self, app: ServerApp, endpoint: Endpoint) -> None:
        self._app, self._endpoint = app, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app.handle(self._endpoint, scope["exchange"])


class _Page:
    """The ASGI application of a page that is always the same."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        exchange.endpoint = "page"
        await exchange.respond(self._reply)
