"""One request and its response, with the headers of every response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hybridrec_server.security import HEADERS, ApiKey
from hybridrec_server.tracing import Trace

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a handler, ready to be sent."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON


@dataclass(slots=True)
class Exchange:
    """One request and its response.

    key: the API key it was sent with, None if the server has no keys
    status: the status of the response, 0 before it begins
    """

    scope: Scope
    receive: Receive
    client: Send
    headers: Mapping[bytes, bytes]
    trace: Trace
    received: float
    endpoint: str = "unknown"
    key: ApiKey | None = None
    status: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    """Further values of the log line."""

    async def send(self, message: Message) -> None:
        """Send a message, with the headers of every response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *HEADERS, (b"traceparent", self.trace.header)]
            if not any(name == b"cache-control" for name, _ in message["headers"]):
                headers.append((b"cache-control", b"no-cache"))  # files: asked for again, sent if they changed
            message = {**message, "headers": headers}
        await self.client(message)

    async def respond(self, reply: Reply, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response, which nobody may keep."""
        stated = [
            (b"content-type", reply.media_type),
            (b"content-length", b"%d" % len(reply.body)),
            (b"cache-control", b"no-store"),
        ]
        if headers:
            stated += [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": reply.status, "headers": stated})
        await self.send({"type": "http.response.body", "body": reply.body})
