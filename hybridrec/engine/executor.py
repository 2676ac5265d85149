"""Executors, which run the fits and the inference of an experiment: their protocol, and threads as the default."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Protocol, TypeVar

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.resolve import missing_library
from hybridrec.engine.fit import FitContext, FitJob, FitOutcome, run_fit_job
from hybridrec.engine.memory import MemoryBudget
from hybridrec.errors import MissingDependencyError
from hybridrec.inference.threads import ThreadPool
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry

R = TypeVar("R")
T = TypeVar("T")
LOOK = 0.5
"""Seconds between two looks for a signal, such as Ctrl-C, while nothing else happens."""


class Executor(Protocol):
    """A pool of workers that run fits and send blocks of queries through pipelines, in any process or machine.

    Progress bars, the order of the report and the files of a run are left to the calling process.
    """

    @property
    def workers(self) -> int:
        """Number of jobs or blocks in work at the same time; so many blocks together have to fit the memory budget."""
        ...

    @property
    def needs_parts(self) -> bool:
        """True if workers read training parts from the store; only then are the parts written there."""
        ...

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run `run_fit_job(job, context)` for each job and yield the outcomes as they end.

        No two jobs have the same key. A job whose `base_model` is among the jobs begins after the base model is fitted.
        Raises the error of the first job that fails; jobs that have not begun by then are cancelled.
        """
        ...

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, in the order of the blocks; `work` and the blocks can be pickled.

        If `work` holds a pipeline, its components are pickled as keys of the store, and its re-rankers with what they
        learned.
        """
        ...


class ExecutorPlugin(Plugin):
    """Base class of the plugins that a config names under `executor`; each starts an executor when a run needs it.

    An executor decides no result: its name and options are in no key of a fit or a result, nor in the hash of the
    config.

    requires: import names of optional libraries that it needs, checked with the config
    install_hint: the remedy if one of them is missing, for example "pip install 'hybridrec[ray]'"
    """

    requires: ClassVar[tuple[str, ...]] = ()
    install_hint: ClassVar[str] = ""

    @abstractmethod
    def open(self, workers: int) -> AbstractContextManager[Executor]:
        """Return a context manager that gives the executor when it is entered, and ends its workers when it is left.

        workers: number of workers to start: `workers` of the config, or else the number of cores of this machine. A
            plugin for workers that are there already ignores it
        """
        ...


class Threads(ExecutorPlugin):
    """Threads of this process, as many as `workers` of the config, by default one for each core."""

    name = "threads"

    def open(self, workers: int) -> AbstractContextManager[Executor]:
        """Return a context manager that gives the threads; other runs of the process use them, too."""
        return nullcontext(ThreadExecutor(workers))


def open_named(name: str, registry: Registry, workers: int | None = None) -> AbstractContextManager[Executor]:
    """Return a context manager that gives the executor of a name with default options, and closes it at the end.

    Raises ConfigError for an unknown name, and MissingDependencyError if a library that it needs is not installed.
    """
    cls: type[ExecutorPlugin] = registry.get("executors", name)
    if problem := missing_library(cls, f"'{name}'"):
        raise MissingDependencyError(problem)
    return cls().open(workers or os.cpu_count() or 1)


def works_side_by_side(executor: Executor) -> bool:
    """Return True if `submit` and `map` of an executor may be called from several threads at the same time.

    It says so by an attribute `side_by_side`, and then sees to it that the fits of all calls have the memory that they
    need. Threads and processes keep the memory budget for each call alone.
    """
    return bool(getattr(executor, "side_by_side", False))


def open_executor(
    experiment: CheckedExperiment, executor: Executor | None = None, *, workers: int | None = None
) -> AbstractContextManager[Executor]:
    """Return a context manager that gives the executor of a run, and closes it at the end unless it was passed.

    executor: was passed by the caller; None for the one that the config names
    workers: the number of workers where the config does not say, by default the number of cores
    """
    if executor is not None:
        return nullcontext(executor)
    plugin = experiment.executor
    assert isinstance(plugin, ExecutorPlugin)
    return plugin.open(experiment.config.workers or workers or os.cpu_count() or 1)


class ThreadExecutor(ThreadPool):
    """An executor of threads of this process, which share its memory.

    The libraries under the components release the interpreter lock while they train, and are limited to one thread
    each, so these threads are the only parallelism. The exception: if there are fewer fits than workers, a component
    whose result does not depend on the number of threads may use several threads itself.
    """

    needs_parts = False

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs and yield the outcomes as they end.

        A single job runs in the thread of the caller, which can then reuse the memory that the fit frees.
        """
        threads = self.threads
        if len(jobs) == 1 or threads is None:
            yield from (self._run(job, context) for job in sorted(jobs, key=lambda job: job.depth))
        else:
            yield from dispatch_jobs(jobs, lambda job: threads.submit(self._run, job, context), context.memory)

    def _run(self, job: FitJob, context: FitContext) -> FitOutcome:
        return run_fit_job(job, context)


def _next_done(running: Mapping[Future[R], object]) -> set[Future[R]]:
    """Wait until at least one future is done, and return those that are.

    A signal that comes just before a thread blocks does not wake it: Python handles it at the next look.
    """
    while not (done := wait(running, LOOK, FIRST_COMPLETED).done):
        pass
    return done


def dispatch_jobs(
    jobs: Sequence[FitJob], start: Callable[[FitJob], Future[FitOutcome]], memory: int | None = None
) -> Iterator[FitOutcome]:
    """Start each job once its base model is fitted, and yield the outcomes of all jobs as they end.

    start: sends a job to a worker and returns the future of its outcome
    memory: `context.memory`, the bytes that this process and those that it has started may take together, for workers
        among them: a job then begins beside others only if its estimate fits beside what is held. A job without an
        estimate counts as nothing. None for workers whose memory is not that of this machine

    Raises the error of the first job that fails, and cancels the jobs that have not begun by then.
    """
    budget = None if memory is None else MemoryBudget(memory)
    waiting = {job.key: job for job in jobs}
    running: dict[Future[FitOutcome], FitJob] = {}
    try:
        while waiting or running:
            open_keys = {*waiting, *(job.key for job in running.values())}
            ready = [job for job in waiting.values() if job.base_model is None or job.base_model.key not in open_keys]
            for job in ready:
                if budget is None or budget.admits(job.memory, [other.memory for other in running.values()]):
                    running[start(waiting.pop(job.key))] = job
            for future in _next_done(running):
                outcome = future.result()
                del running[future]
                yield outcome
    finally:
        for future in running:
            future.cancel()
