"""The seams of the front process: dispatcher and metrics, as the HTTP side sees them, and the errors they raise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from hybridrec_server.journal.base import ServedRecord
from hybridrec_server.schemas import Ready, RecommendRequest, Reloaded
from hybridrec_server.state.base import Event, Written

Method = Literal["explain", "similar", "search", "item", "pipelines"]
"""The questions beside `recommend` that a worker answers."""


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """The answer to one request, ready to be sent.

    body: the JSON of `schemas.Answer`; the HTTP side joins bodies without parsing them
    segments: segmenter -> segment of the query; empty for a degraded answer, for which no query was encoded
    """

    body: bytes
    request: str
    pipeline: str
    bundle: str
    served_by: str
    degraded: bool = False
    segments: Mapping[str, str] = field(default_factory=dict)


class RequestProblem(Exception):  # noqa: N818
    """The error for a request that cannot be answered as it is: 422, with the key path and a message.

    path: such as `filters[0].column`; relative to the request, without the place in a list of queries
    """

    def __init__(self, path: str, message: str) -> None:
        """Set the key path and the message, which says what would be right."""
        super().__init__(message)
        self.path = path
        self.message = message


class NotFound(Exception):  # noqa: N818
    """The error for an id in the address that nothing has: 404."""


class Overloaded(Exception):  # noqa: N818
    """The error for a request that is turned away: the queue is full, the server drains, or the state store is busy.

    retry_after: seconds after which another try is worth while; 503 with the header `Retry-After`
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        """Set the message and the seconds to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class Dispatcher(Protocol):
    """The queue in front of the workers: gathers requests into batches, keeps deadlines, replaces workers."""

    async def start(self) -> None:
        """Start the workers; return once all of them answer. Raises HybridrecError for a bundle that cannot serve."""

    async def stop(self, drain: float) -> None:
        """Finish what was accepted, for at most `drain` seconds, and end the workers; new requests are Overloaded."""

    async def recommend(self, request: RecommendRequest) -> ServedAnswer:
        """Return the answer to a request, at the deadline a degraded answer.

        `request.id` and `request.time` are set. The events of `request.user` are read from the state store and folded
        in. Raises Overloaded and RequestProblem.
        """

    async def ask(self, method: Method, arguments: Mapping[str, Any]) -> bytes:
        """Return the JSON of the answer to another question.

        explain: arguments are those of `RecommendRequest` that differ from the defaults; answers `ExplainedAnswer`
        similar: `SimilarRequest` -> `Neighbours`; search: `SearchRequest` -> `Hits`
        item: {"id": ID, "kind": KIND} -> `ItemDetails`; pipelines: {} -> `Pipelines`

        Raises RequestProblem, NotFound, and Overloaded, also if the deadline passes without an answer.
        """

    async def reload(self, bundle: Path | None, dry_run: bool) -> Reloaded:
        """Check a bundle and let all workers swap to it, or none; `None` is the path of the start."""

    async def rollback(self) -> Reloaded:
        """Swap back to the bundle that served before; raises RequestProblem if there was none."""

    def status(self) -> Ready:
        """Return the state of the queue and of each worker."""


class KeptEvents(Protocol):
    """The log of events and answers, as the HTTP side sees it: `event_log.EventLog`."""

    async def start(self) -> None:
        """Open it; raises HybridrecError if that cannot be."""

    async def stop(self) -> None:
        """Write what was accepted, and close it."""

    async def write(self, events: Sequence[Event]) -> Written:
        """Write events; return once they are durable. Raises Busy, and ValueError for one that cannot be stored."""

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        """Take answers that are about to be sent; never waits. Raises JournalFull if that is to refuse them."""


class Metrics(Protocol):
    """The counters and histograms of the server."""

    def count_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a response of an endpoint, such as `recommend`, with the seconds from its first byte to its last."""

    def count_events(self, accepted: int, repeated: int, lags: list[float]) -> None:
        """Count events, with the seconds between the time of each new one and its commit."""

    def render(self) -> bytes:
        """Return the text format of Prometheus."""


@dataclass(slots=True)
class NullMetrics:
    """Metrics that nobody reads; `counted` keeps what was told, for tests."""

    counted: list[tuple[str, int]] = field(default_factory=list)

    def count_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Remember an endpoint with its status."""
        self.counted.append((endpoint, status))

    def count_events(self, accepted: int, repeated: int, lags: list[float]) -> None:
        """Remember nothing."""

    def render(self) -> bytes:
        """Return no metrics."""
        return b""
