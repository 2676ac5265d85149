"""The threads of the process: one executor for everything that is done side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import cache
from typing import Protocol, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Executor(Protocol):
    """A way to carry out tasks that do not need one another; `as_they_end` is the one of a run."""

    def __call__(self, tasks: Sequence[Callable[[], R]], workers: int) -> Iterator[R]:
        """Yield the result of each task as it ends, on up to `workers` at once; raises what a task raises."""
        ...


class _Here(threading.local):
    """What the current thread is."""

    works: bool = False


_here = _Here()


@cache
def _executor(workers: int) -> ThreadPoolExecutor:
    """Kept, as its threads keep the memory into which they write scores: fresh pages cost as much as the scores."""
    return ThreadPoolExecutor(workers, "hybridrec", initializer=lambda: setattr(_here, "works", True))


def side_by_side(work: Callable[[T], R], parts: Sequence[T], workers: int) -> list[R]:
    """What `work` gives for each part, in their order; raises what the first part that failed raised."""
    return list(_executor(workers).map(work, parts)) if _threaded(workers) else [work(part) for part in parts]


def as_they_end(tasks: Sequence[Callable[[], R]], workers: int) -> Iterator[R]:
    """What the tasks give, as they end; when one raises, those that did not begin are given up.

    One alone is done by the caller: the memory that it gives back serves what comes after it, too.
    """
    if len(tasks) == 1 or not _threaded(workers):
        yield from (task() for task in tasks)
        return
    futures: list[Future[R]] = [_executor(workers).submit(task) for task in tasks]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _threaded(workers: int) -> bool:
    """Whether it is done by others: a worker that waited for workers might wait for ever, so it does it itself."""
    return workers > 1 and not _here.works
