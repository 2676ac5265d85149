"""The executor of Ray: each fit is a task, which reads its training part from the store and writes the fit to it."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self, TypeVar

from hybridrec import (
    FitContext,
    FitJob,
    FitOutcome,
    HybridrecError,
    MemoryBudgetError,
    MissingDependencyError,
    dispatch_jobs,
)
from hybridrec_ray.board import Board, start_notes
from hybridrec_ray.tasks import Parcel, fit, work_on

R = TypeVar("R")
T = TypeVar("T")
RETRIES = 20
"""Number of times that a task is started again after its worker or its node was lost."""
GRACE = 3.0
"""Seconds that a cancelled task has to end by itself, and to remove what it was writing, before it is killed."""


class RayExecutor:
    """An executor of the workers of a cluster.

    The store has to be in a folder that all nodes see, or in object storage; all nodes need the same plugins and
    libraries. Results of fits go to the store, not through the objects of Ray.
    """

    needs_parts = True
    side_by_side = True

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        *,
        dashboard: bool = False,
        usage_report: bool = False,
        **options: Any,
    ) -> None:
        """Join a cluster, or start one on this machine, which ends with `close`.

        address: address of the cluster, `auto` on one of its nodes, or `local` to start one; by default `$RAY_ADDRESS`,
            or else `local`
        workers: number of cores of a cluster that is started; by default those of the machine
        dashboard, usage_report: True for Ray's dashboard, and its report of usage, in a cluster that is started. The
            environment variable RAY_USAGE_STATS_ENABLED asks for the latter, too
        options: further arguments of `ray.init`

        A process that is part of a cluster already stays in it. Raises MissingDependencyError without Ray, and
        HybridrecError if no cluster is at the address.
        """
        if usage_report:
            os.environ["RAY_USAGE_STATS_ENABLED"] = "1"
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise MissingDependencyError("RayExecutor needs Ray: pip install 'hybridrec[ray]'") from None
        self.started = not ray.is_initialized()
        """True if `close` ends the part of this process in the cluster."""
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        self.own = self.started and address == "local"
        """True if `close` ends the cluster: its workers are processes that this one has started."""
        self._running: set[Any] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._actor: Any = None
        if self.started:
            own = {"num_cpus": workers, "include_dashboard": dashboard} if self.own else {}
            with _own_signals():
                try:
                    ray.init(address, **{"log_to_driver": False, "logging_level": "error", **own, **options})
                except ConnectionError as error:
                    raise HybridrecError(f"no cluster of Ray was found at {address!r}: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all tasks that still run, and leave the cluster, or end it if it was started here."""
        import ray

        with self._lock:
            self._closed = True
            running = list(self._running)
        self._cancel(running)
        if self._actor is not None:
            ray.kill(self._actor)
        if self.started:
            ray.shutdown()

    @property
    def workers(self) -> int:
        """Number of cores of the cluster."""
        import ray

        return max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs as tasks and yield the outcomes as they end.

        A task asks for the cores of its job and for the memory that its component estimates; in a cluster that was
        started here, it also waits until the memory budget admits it. It is started again if its worker or node is
        lost. Raises the error of the first job that fails, with a note on the node and the process;
        the tasks that still run are then ended. Raises MemoryBudgetError before the first fit if no node has the memory
        for one.
        """
        if not jobs:
            return
        self._require_open()
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cores = {job.key: cores_for(job.memory, nodes) for job in jobs}
        for job in jobs:
            if not cores[job.key]:
                raise _too_large(job, nodes)
        task = ray.remote(fit)
        running: dict[str, Any] = {}
        with Board(context, jobs, self._notes(), lambda: self._closed) as board:
            parcel = Parcel.of(context)

            def start(job: FitJob) -> Future[FitOutcome]:
                threads = min(job.threads, cores[job.key])
                asked = {"num_cpus": threads, "memory": job.memory or None, "max_retries": RETRIES}
                placed = replace(job, threads=threads)
                own = task.options(name=f"fit {job.place}", **asked)
                running[job.key] = self._start(own, placed, parcel, board.place)
                return _settled(running[job.key], job)

            try:
                for outcome in dispatch_jobs(jobs, start, context.memory if self.own else None):
                    with self._lock:
                        self._running.discard(running.pop(outcome.key))
                    board.ended(outcome.key)
                    yield outcome
            finally:
                self._cancel(list(running.values()))

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield the result of each block of queries, in their order; at most two for each core are in work or wait.

        A worker receives `work` once, and keeps it for further blocks.
        """
        import ray

        if not blocks:
            return
        self._require_open()
        parcel = Parcel.of(work)
        task = ray.remote(work_on).options(num_cpus=1, max_retries=RETRIES, name="answer queries")
        waiting: deque[Any] = deque()
        most = 2 * self.workers
        try:
            for block in blocks:
                waiting.append(self._start(task, parcel, block))
                if len(waiting) >= most:
                    yield self._result(waiting)
            while waiting:
                yield self._result(waiting)
        finally:
            self._cancel(list(waiting))

    def _notes(self) -> Any:
        """Return the actor to which the workers tell their progress, one for all fits of the executor."""
        with self._lock:
            if self._actor is None:
                self._actor = start_notes()
            return self._actor

    def _start(self, task: Any, *arguments: object) -> Any:
        """Start a task that `close` ends, and return the reference to its result; raises HybridrecError once closed."""
        with self._lock:
            self._require_open()
            started = task.remote(*arguments)
            self._running.add(started)
        return started

    def _require_open(self) -> None:
        """Raise HybridrecError if the executor was closed: Ray would else start another cluster by itself."""
        if self._closed:
            raise HybridrecError("the executor of Ray was closed, and works no more")

    def _result(self, waiting: deque[Any]) -> Any:
        """Return the result of the first of the tasks that wait, and remove the task from them."""
        import ray

        try:
            result = ray.get(waiting[0])
        except ray.exceptions.RayError as error:
            raise _told(error, "a block of queries could not be answered") from None
        with self._lock:
            self._running.discard(waiting.popleft())
        return result

    def _cancel(self, tasks: Sequence[Any]) -> None:
        """End tasks: by an interrupt, which lets them remove what they were writing, and then by force."""
        import ray

        with self._lock:
            self._running.difference_update(tasks)
        if not tasks or not ray.is_initialized():
            return
        left = list(tasks)
        for force, seconds in ((False, GRACE), (True, 2 * GRACE)):
            for task in left:
                ray.cancel(task, force=force)
            _, left = ray.wait(left, num_returns=len(left), timeout=seconds, fetch_local=False)
            if not left:
                return


def cores_for(memory: int, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return the largest number of cores of a node that has room for a fit; 0 if none has.

    memory: bytes that the fit needs, 0 without an estimate, for which every node, and one still to come, has room
    nodes: the resources of each node, as Ray names them
    """
    cores = (int(node.get("CPU", 0)) for node in nodes if node.get("memory", 0) >= memory)
    return max(cores, default=0) if memory else max(cores, default=0) or 1


def _too_large(job: FitJob, nodes: Sequence[Mapping[str, float]]) -> MemoryBudgetError:
    memory = max((node.get("memory", 0) for node in nodes if node.get("CPU", 0) >= 1), default=0)
    return MemoryBudgetError(
        f"components.{job.label} ({job.component}) would need about {job.memory / 1e9:.1f} GB to be "
        f"fitted, and the largest node of the cluster has {memory / 1e9:.1f} GB: add a larger node"
    )


def _settled(ref: Any, job: FitJob) -> Future[FitOutcome]:
    """Return a future of the outcome of a task; its error is that of the component, or names the component."""
    settled: Future[FitOutcome] = Future()

    def settle(future: Future[FitOutcome]) -> None:
        error = future.exception()
        if error is None:
            settled.set_result(future.result())
        else:
            settled.set_exception(_told(error, f"components.{job.label} ({job.component}) could not be fitted"))

    settled.set_running_or_notify_cancel()
    ref.future().add_done_callback(settle)
    return settled


def _told(error: BaseException, consequence: str) -> BaseException:
    """Return the error that a task raised; for one of Ray itself, an error that begins with the consequence."""
    from ray import exceptions

    if isinstance(error, exceptions.RayTaskError):
        return error.cause if isinstance(error.cause, Exception) else error
    if isinstance(error, exceptions.OutOfMemoryError):
        return MemoryBudgetError(
            f"{consequence}: the memory of its node ran out each time, whatever was estimated; add a larger node, or "
            f"let fewer workers share one ({_first_line(error)})"
        )
    if isinstance(error, exceptions.RayError):
        return HybridrecError(f"{consequence}: {_first_line(error)}")
    return error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the treatment of SIGTERM and SIGINT by this process, which `ray.init` replaces, for the `with` block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
