"""The executor of Ray: each fit is a task, which reads its training part from the store and writes the fit to it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Self, TypeVar

from hybridrec import (
    FitContext,
    FitJob,
    FitOutcome,
    MemoryBudgetError,
    MissingDependencyError,
    dispatch_jobs,
    run_fit_job,
)

R = TypeVar("R")
T = TypeVar("T")
RETRIES = 20
"""Number of times that a task is started again after its worker or its node was lost."""


class RayExecutor:
    """An executor of the workers of a cluster.

    The store has to be in a folder that all nodes see, or in object storage; all nodes need the same plugins and
    libraries. Results of fits go to the store, not through the objects of Ray. In a cluster that the executor starts,
    the dashboard is off, and so is the report of usage unless `RAY_USAGE_STATS_ENABLED` says otherwise.
    """

    needs_parts = True

    def __init__(self, address: str | None = None, **options: Any) -> None:
        """Join the cluster at an address, or start one on this machine if it is None; it ends with `close`.

        A process that is part of a cluster already stays in it. `options` are further arguments of `ray.init`. Raises
        MissingDependencyError without Ray.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise MissingDependencyError("RayExecutor needs Ray: pip install 'hybridrec[ray]'") from None
        self.started = not ray.is_initialized()
        """True if `close` ends the part of this process in the cluster."""
        if self.started:
            own: dict[str, Any] = {} if address else {"include_dashboard": False}
            ray.init(address, **{"log_to_driver": False, **own, **options})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster, or end it if it was started here."""
        import ray

        if self.started:
            ray.shutdown()

    @property
    def workers(self) -> int:
        """Number of cores of the cluster."""
        import ray

        return max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs as tasks and yield the outcomes as they end.

        A task asks for the cores of its job and for the memory that its component estimates. It is started again if its
        worker or node is lost. Raises the error of the first job that fails, with a note on the node and the process.
        Raises MemoryBudgetError before the first fit if no node has the memory for one.
        """
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cores = {job.key: cores_for(job.memory, nodes) for job in jobs}
        for job in jobs:
            if not cores[job.key]:
                memory = max((node.get("memory", 0) for node in nodes if node.get("CPU", 0) >= 1), default=0)
                raise MemoryBudgetError(
                    f"components.{job.label} ({job.component}) would need about {job.memory / 1e9:.1f} GB to be "
                    f"fitted, and the largest node of the cluster has {memory / 1e9:.1f} GB: add a larger node"
                )
        shared = ray.put(context)
        fit = ray.remote(_fit)
        running: list[Any] = []

        def start(job: FitJob) -> Future[FitOutcome]:
            threads = min(job.threads, cores[job.key])
            asked = {"num_cpus": threads, "memory": job.memory or None, "max_retries": RETRIES}
            running.append(fit.options(name=f"fit {job.place}", **asked).remote(replace(job, threads=threads), shared))
            future: Future[FitOutcome] = running[-1].future()
            return future

        try:
            yield from dispatch_jobs(jobs, start)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        finally:
            for task in running:  # of no effect on those that have ended
                ray.cancel(task, force=True)

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield the result of each block of queries, in their order; at most two for each core are in work or wait."""
        import ray

        shared = ray.put(work)
        do = ray.remote(_work).options(num_cpus=1, max_retries=RETRIES)
        waiting: deque[Any] = deque()
        try:
            for block in blocks:
                waiting.append(do.remote(shared, block))
                if len(waiting) >= 2 * self.workers:
                    yield ray.get(waiting.popleft())
            while waiting:
                yield ray.get(waiting.popleft())
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        finally:
            for task in waiting:
                ray.cancel(task, force=True)


def cores_for(memory: int, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return the largest number of cores of a node that has room for a fit; 0 if none has.

    memory: bytes that the fit needs, 0 without an estimate, for which every node, and one still to come, has room
    nodes: the resources of each node, as Ray names them
    """
    cores = (int(node.get("CPU", 0)) for node in nodes if node.get("memory", 0) >= memory)
    return max(cores, default=0) if memory else max(cores, default=0) or 1


def _fit(job: FitJob, context: FitContext) -> FitOutcome:
    try:
        return run_fit_job(job, context)
    except Exception as error:
        raise _noted(error) from None


def _work(work: Callable[[T], R], block: T) -> R:
    try:
        return work(block)
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
