"""The metrics of the server, in the text format of Prometheus; one front counts for all workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from hybridrec_server.journal.base import Journal
from hybridrec_server.schemas import Ready

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LAGS = (0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class ServerMetrics:
    """Counters and histograms; labels are names of the bundle and of endpoints, never of persons or items."""

    def __init__(self) -> None:
        """Make all metrics, in a registry of their own."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._status: Callable[[], Ready] | None = None
        self._journal: Journal | None = None

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"hybridrec_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"hybridrec_{name}", text, labels, registry=registry, buckets=buckets)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"hybridrec_{name}", text, labels, registry=registry)

        self._responses = counter("responses", "Responses by endpoint and status.", "endpoint", "status")
        self._latency = histogram("response_seconds", "Time of a response.", _SECONDS, "endpoint")
        self._answers = counter(
            "answers", "Answers by pipeline and by the source that served.", "pipeline", "served_by"
        )
        # Looking up a metric by its labels takes longer than counting; these are counted for every request.
        self._response_of = cache(self._responses.labels)
        self._latency_of = cache(self._latency.labels)
        self._answer_of = cache(self._answers.labels)
        self._degraded = counter("degraded_answers", "Answers from the precomputed list, by reason.", "reason")
        self._stages = histogram("stage_seconds", "Time of a batch in a stage.", _SECONDS, "pipeline", "stage")
        self._batches = histogram("batch_requests", "Requests in a batch.", _SIZES)
        self._unknown = counter("unknown_ids", "Ids in requests that the data does not have.")
        self._faults = counter(
            "component_faults", "Components that failed, or did not come back.", "component", "reason"
        )
        self._workers_lost = counter("workers_lost", "Workers that ended and were replaced.", "reason")
        self._refused = counter("overloaded", "Requests that were turned away with 503.", "reason")
        self._swaps = counter("swaps", "Changes of the bundle.", "outcome")
        self._events = counter("events", "Events by outcome.", "outcome")
        self._lag = histogram("event_lag_seconds", "Time from an event to its commit.", _LAGS)
        self._queue = gauge("queue", "Requests that wait.")
        self._workers = gauge("workers", "Workers by state.", "state")
        self._left_out = gauge("left_out", "Components that are left out: seconds until they are back.", "component")
        self._serving = gauge("bundle", "The bundle that serves: 1.", "bundle")
        self._logged = gauge(
            "journal",
            "Since the start: records written and lost, bytes torn and damaged, files rotated, failed rotations.",
            "count",
        )
        self._full = gauge("journal_full", "1 while the journal cannot be written.")

    def count_response(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a response of an endpoint, with the seconds from its first byte to its last."""
        self._response_of(endpoint, status).inc()
        self._latency_of(endpoint).observe(seconds)

    def count_events(self, accepted: int, repeated: int, lags: list[float]) -> None:
        """Count events, with the seconds between the time of each new one and its commit."""
        self._events.labels("accepted").inc(accepted)
        self._events.labels("repeated").inc(repeated)
        for lag in lags:
            self._lag.observe(lag)

    def count_batch(self, pipeline: str, requests: int, seconds: Mapping[str, float], unknown: int) -> None:
        """Count a batch: its requests, the seconds of its stages, and its unknown ids."""
        self._batches.observe(requests)
        for stage, duration in seconds.items():
            self._stages.labels(pipeline, stage).observe(duration)
        if unknown:
            self._unknown.inc(unknown)

    def count_answer(self, pipeline: str, served_by: str) -> None:
        """Count an answer of a pipeline by the source that served it."""
        self._answer_of(pipeline, served_by).inc()

    def count_degraded(self, reason: str) -> None:
        """Count an answer from the precomputed list: `deadline`, `failed` or `left_out`."""
        self._degraded.labels(reason).inc()

    def count_fault(self, component: str, reason: str) -> None:
        """Count a component that `raised`, `hung` or `crashed`."""
        self._faults.labels(component, reason).inc()

    def count_lost_worker(self, reason: str) -> None:
        """Count a worker that was replaced, since it `hung` or `ended`."""
        self._workers_lost.labels(reason).inc()

    def count_overloaded(self, reason: str) -> None:
        """Count a request that was turned away: `queue`, `draining` or `deadline`."""
        self._refused.labels(reason).inc()

    def count_swap(self, outcome: str) -> None:
        """Count a change of the bundle that was `made` or `refused`."""
        self._swaps.labels(outcome).inc()

    def watch(self, status: Callable[[], Ready]) -> None:
        """Take the function that tells the state of queue and workers; it is called for each reading."""
        self._status = status

    def watch_journal(self, journal: Journal) -> None:
        """Take the journal whose counts are shown with each reading."""
        self._journal = journal

    def render(self) -> bytes:
        """Return the text format of Prometheus."""
        if self._status is not None:
            self._observe(self._status())
        if self._journal is not None:
            self._full.set(self._journal.is_full)
            for name, value in asdict(self._journal.counts).items():
                self._logged.labels(name).set(value)
        return generate_latest(self._registry)

    def _observe(self, ready: Ready) -> None:
        self._queue.set(ready.queue)
        for gauge in (self._workers, self._left_out, self._serving):
            gauge.clear()
        for worker in ready.workers:
            self._workers.labels(worker.state).inc()
        for component, seconds in ready.left_out.items():
            self._left_out.labels(component).set(seconds)
        if ready.bundle is not None:
            self._serving.labels(ready.bundle).set(1)
