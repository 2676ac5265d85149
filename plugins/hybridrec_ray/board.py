"""The board on which workers write how their fits go on, for the progress that the driver shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any, Self

from hybridrec import FitContext, FitJob, ProgressPoint

BEAT = 1.0
"""Seconds between two looks of the driver at the board, and between two reports of a fit."""
PATIENCE = 5.0
"""Seconds that a fit, and its outcome, wait for the board."""
Entry = tuple[str, ProgressPoint | None]
"""Key of a job, and a point of its progress; None when the fit begins."""
Place = tuple[Any, str]
"""The actor of a cluster, and the token of a board in it."""


class Notes:
    """The entries that the driver has not yet seen; an actor, which takes those of a worker in their order."""

    def __init__(self) -> None:
        """Begin with none."""
        self.entries: dict[str, list[Entry]] = {}

    def write(self, token: str, entries: Sequence[Entry]) -> None:
        """Add entries for the board of a token."""
        self.entries.setdefault(token, []).extend(entries)

    def take(self, token: str) -> list[Entry]:
        """Return the entries for a board, and forget them."""
        return self.entries.pop(token, [])


def start_notes() -> Any:
    """Start the actor, without a core and on the node of this process; it starts again if it is lost."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(Notes).options(num_cpus=0, scheduling_strategy=here, max_restarts=-1).remote()


class Board:
    """The board of the driver, which passes the entries on to the listeners of a context.

    Progress is for people: if the actor is lost, with its node, the fits go on.
    """

    def __init__(self, context: FitContext, jobs: Sequence[FitJob], actor: Any, over: Callable[[], bool]) -> None:
        """Show the progress of these jobs to the listeners of `context`; `over` tells that the cluster was left."""
        self.context = context
        self.jobs = {job.key: job for job in jobs}
        self.over = over
        self.place: Place = actor, token_hex(8)
        self._begun: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="hybridrec progress")

    def __enter__(self) -> Self:
        """Begin to look at the actor."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the looks."""
        self._closed.set()
        self._thread.join()

    def show(self) -> None:
        """Pass on what was written since the last look."""
        import ray

        with self._lock:
            if self.over():
                return
            actor, token = self.place
            try:
                entries = ray.get(actor.take.remote(token), timeout=PATIENCE)
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

    def __init__(self, place: Place) -> None:
        """Write to the board of this place."""
        self.actor, self.token = place
        self._entries: list[Entry] = []
        self._sent = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Send the rest, and wait until it is there, so that the driver sees it before the outcome."""
        import ray

        if self._entries:
            with suppress(Exception):
                ray.get(self.actor.write.remote(self.token, self._entries), timeout=PATIENCE)

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
            self.actor.write.remote(self.token, self._entries)
        self._entries, self._sent = [], time.monotonic()
