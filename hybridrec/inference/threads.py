"""The threads of the process: one pool for everything that is done side by side, each library held to one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

R = TypeVar("R")
T = TypeVar("T")


class _Here(threading.local):
    """Facts about the current thread."""

    works: bool = False


_here = _Here()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Kept, as its threads keep the memory into which they write scores: fresh pages cost as much as the scores."""
    return ThreadPoolExecutor(workers, "hybridrec", initializer=lambda: setattr(_here, "works", True))


class ThreadPool:
    """So many threads of this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @property
    def threads(self) -> ThreadPoolExecutor | None:
        """The threads to hand work to; None where the caller does it.

        That is so with one worker, and on a thread of the pool: a worker that waited for workers might wait for ever.
        """
        return _pool(self.workers) if self.workers > 1 and not _here.works else None

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield the result of `work` for each block, in their order; raises what the first block that failed raised."""
        yield from map(work, blocks) if self.threads is None else self.threads.map(work, blocks)


class _Limit:
    """The thread limit of the libraries, with the number of those who hold it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.limits: threadpool_limits | None = None


_limit = _Limit()


@contextmanager
def one_thread_per_library() -> Iterator[None]:
    """Hold BLAS and its like to one thread: the first who enters sets the limit, the last who leaves lifts it.

    The limit is the process's, so two threads that each set and restored it would restore each other's.
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
