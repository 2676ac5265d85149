"""The threads of the process: one pool for all parallel work, with each library limited to one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

R = TypeVar("R")
T = TypeVar("T")


class _Here(threading.local):
    """Facts about the current thread."""

    works: bool = False


_here = _Here()


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return the pool of so many threads, which is kept: its threads keep the memory into which they write scores.

    Fresh pages would cost as much as the scores.
    """
    if workers not in _pools:
        _pools[workers] = ThreadPoolExecutor(workers, "hybridrec", initializer=lambda: setattr(_here, "works", True))
    return _pools[workers]


def end_threads() -> None:
    """End the threads of all pools as soon as their running work is done; the next work starts others.

    An executor does not know of a thread whose start was interrupted: without this the process waits for it forever.
    """
    while _pools:
        _pools.popitem()[1].shutdown(cancel_futures=True)


class ThreadPool:
    """A pool of threads of this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @property
    def threads(self) -> ThreadPoolExecutor | None:
        """The threads to hand work to; None where the caller does it.

        That is so with one worker, and on a thread of the pool: a worker that waits for workers might deadlock.
        """
        return _pool(self.workers) if self.workers > 1 and not _here.works else None

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield the result of `work` for each block, in their order; raises the first error of a block."""
        yield from map(work, blocks) if self.threads is None else self.threads.map(work, blocks)


class _Limit:
    """The thread limit of the libraries, with the number of its holders."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.limits: threadpool_limits | None = None


_limit = _Limit()


@contextmanager
def one_thread_per_library() -> Iterator[None]:
    """Limit BLAS and similar libraries to one thread: the first context sets the limit, the last one lifts it.

    The limit belongs to the process, so two threads that each set and restored it would restore each other's.
    """
    with _limit.lock:
        if not _limit.holders:
            _limit.limits = threadpool_limits(limits=1)
        _limit.holders += 1
    try:
        yield
    finally:
        with _limit.lock:
            _limit.holders -= 1
            if not _limit.holders and _limit.limits is not None:
                _limit.limits.restore_original_limits()
