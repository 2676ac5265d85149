"""Where the work of an experiment is done: the protocol of executors, and threads, which are the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Protocol, TypeVar

from hybridrec.engine.fit import FitContext, FitJob, FitOutcome, run_fit_job
from hybridrec.inference.threads import ThreadPool

R = TypeVar("R")
T = TypeVar("T")


class Executor(Protocol):
    """Carries out fits and sends blocks of queries through pipelines, wherever that may be.

    Progress, order of the report and what is written of a run stay with the process that drives.
    """

    @property
    def workers(self) -> int:
        """How many jobs or blocks are done at a time; memory is shared out among so many."""
        ...

    @property
    def needs_parts(self) -> bool:
        """Whether workers read training parts from the store; only then are they written there."""
        ...

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run `run_fit_job(job, context)` for each job and yield the outcomes as they end.

        No two jobs have the same key. A job whose `base_model` is among them begins when that one has ended. Raises
        what the first job that failed raised; what did not begin by then is given up.
        """
        ...

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, in their order; both are pickled like what they consist of.

        A pipeline in `work` takes its components along as keys of the store, and its re-rankers as they are.
        """
        ...


class ThreadExecutor(ThreadPool):
    """Threads of this process, which share its memory.

    The libraries under the components release the interpreter lock while they train and are held to
    one thread each, so these threads are the only parallelism there is; only where fewer fits than
    workers are left, a component whose result does not depend on it may use several itself.
    """

    needs_parts = False

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs and yield the outcomes as they end.

        One alone is done by the caller: the memory that it gives back serves what comes after it, too.
        """
        threads = self.threads
        if len(jobs) == 1 or threads is None:
            yield from (run_fit_job(job, context) for job in sorted(jobs, key=lambda job: job.depth))
        else:
            yield from dispatch_jobs(jobs, lambda job: threads.submit(run_fit_job, job, context))


def dispatch_jobs(jobs: Sequence[FitJob], start: Callable[[FitJob], Future[FitOutcome]]) -> Iterator[FitOutcome]:
    """Start each job when the one that it uses has ended, and yield the outcomes of all as they end.

    `start` hands a job to a worker and gives the future of its outcome. Raises what the first job that failed
    raised, and cancels what did not begin.
    """
    waiting = {job.key: job for job in jobs}
    running: dict[Future[FitOutcome], str] = {}
    try:
        while waiting or running:
            open_keys = {*waiting, *running.values()}
            ready = [job for job in waiting.values() if job.base_model is None or job.base_model.key not in open_keys]
            for job in ready:
                running[start(waiting.pop(job.key))] = job.key
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                del running[future]
                yield outcome
    finally:
        for future in running:
            future.cancel()
