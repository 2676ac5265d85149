"""The tasks of the workers of a cluster: fits, and the answers to blocks of queries."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Generic, Self, TypeVar

from hybridrec import FitContext, FitJob, FitOutcome, run_fit_job
from hybridrec_ray.board import Place, Telling

R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")
KEPT = 2
"""Number of values that a worker keeps; each may hold the fitted components of a pipeline, which are mapped."""
_received: OrderedDict[str, Any] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Parcel(Generic[V]):
    """A value for many tasks, which a worker unpacks at the first of them and keeps for the others.

    token: its name, by which a worker finds it again
    refs: the one reference to the value; inside a tuple, since Ray would else unpack it for each task
    """

    token: str
    refs: tuple[Any]

    @classmethod
    def of(cls, value: V) -> Self:
        """Put a value into the cluster."""
        import ray

        return cls(token_hex(8), (ray.put(value),))

    def unpack(self) -> V:
        """Return the value; called in a worker."""
        import ray

        if self.token not in _received:
            while len(_received) >= KEPT:
                _received.popitem(last=False)
            _received[self.token] = ray.get(self.refs[0])
        _received.move_to_end(self.token)
        value: V = _received[self.token]
        return value


def fit(job: FitJob, parcel: Parcel[FitContext], board: Place) -> FitOutcome:
    """Run a job, and tell the board that it began and how it goes on."""
    try:
        context = parcel.unpack()
        with Telling(board) as telling:
            context.began, context.listener = telling.began, telling.progressed
            return run_fit_job(job, context)
    except Exception as error:
        raise _noted(error) from None


def work_on(parcel: Parcel[Callable[[T], R]], block: T) -> R:
    """Return the result of the work on a block."""
    try:
        return parcel.unpack()(block)
    except Exception as error:
        raise _noted(error) from None


def _noted(error: Exception) -> Exception:
    """Return an error with a note on the place where it was raised."""
    import ray

    place = ray.get_runtime_context()
    error.add_note(
        f"on the node {ray.util.get_node_ip_address()} ({place.get_node_id()[:8]}), process {os.getpid()}; "
        f"what it printed is there in the logs of Ray, in worker-{place.get_worker_id()}-*"
    )
    return error
