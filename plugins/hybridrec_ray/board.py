"""The board on which workers write how their fits go on, for the progress that the driver shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from hybridrec import FitContext, FitJob, ProgressPoint

BEAT = 0.5
"""Seconds between two looks of the driver at the board, and between two reports of a fit."""
Entry = tuple[str, ProgressPoint | None]
"""Key of a job, and a point of its progress; None when the fit begins."""


class Notes:
    """The entries that the driver has not yet seen; an actor, which takes those of a worker in their order."""

    def __init__(self) -> None:
        """Begin with none."""
        self.entries: list[Entry] = []

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries."""
        self.entries += entries

    def take(self) -> list[Entry]:
        """Return the entries, and forget them."""
        taken, self.entries = self.entries, []
        return taken


class Board:
    """The board of the driver, which passes the entries on to the listeners of a context.

    It is an actor without a core. Progress is for people: if the board is lost, with its node, the fits go on.
    """

    def __init__(self, context: FitContext, jobs: Sequence[FitJob], over: Callable[[], bool]) -> None:
        """Show the progress of these jobs to the listeners of `context`; `over` tells that the cluster was left."""
        self.over = over
        self.context = context
        self.jobs = {job.key: job for job in jobs}
        self.actor: Any = None
        self._begun: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="hybridrec progress")

    def __enter__(self) -> Self:
        """Start the actor, on the node of this process, and the looks at it."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.actor = ray.remote(Notes).options(num_cpus=0, scheduling_strategy=here).remote()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the looks and the actor."""
        import ray

        self._closed.set()
        self._thread.join()
        if not self.over():  # then it has ended with the cluster, or with this process
            with suppress(Exception):
                ray.kill(self.actor)

    def show(self) -> None:
        """Pass on what was written since the last look."""
        import ray

        with self._lock:
            if self.over():
                return
            try:
                entries = ray.get(self.actor.take.remote(), timeout=10 * BEAT)
            except Exception:  # the actor is lost, or late: it is only the progress
                return
            for key, point in entries:
                job = self.jobs[key]
                if point is not None and self.context.listener is not None:
                    self.context.listener(job, point)
                elif point is None and self.context.began is not None and key not in self._begun:
                    self._begun.add(key)
                    self.context.began(job)

    def ended(self, key: str) -> None:
        """Pass on what was written, and nothing more on the begin of a fit that has ended."""
        self.show()
        self._begun.add(key)

    def _look(self) -> None:
        while not self._closed.wait(BEAT):
            self.show()


class Telling:
    """The side of a worker: the entries of one fit, sent now and then, and the last ones before the fit has ended."""

    def __init__(self, actor: Any) -> None:
        """Write to the board of this actor."""
        self.actor = actor
        self._entries: list[Entry] = []
        self._sent = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Send the rest, and wait until it is there, so that the driver sees it before the outcome."""
        import ray

        if self._entries:
            with suppress(Exception):
                ray.get(self.actor.write.remote(self._entries), timeout=10 * BEAT)

    def began(self, job: FitJob) -> None:
        """Tell that a fit begins."""
        self._entries.append((job.key, None))
        self._send()

    def progressed(self, job: FitJob, point: ProgressPoint) -> None:
        """Tell of a point of progress."""
        self._entries.append((job.key, point))
        if time.monotonic() - self._sent >= BEAT:
            self._send()

    def _send(self) -> None:
        with suppress(Exception):  # the board is lost
            self.actor.write.remote(self._entries)
        self._entries, self._sent = [], time.monotonic()
