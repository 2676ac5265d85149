"""The threads of the process: one pool for all parallel work, while each library is limited to one thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

R = TypeVar("R")
T = TypeVar("T")


class _Here(threading.local):
    """The state of the current thread: `works` is True on a thread of a pool."""

    works: bool = False


_here = _Here()


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool(workers: int) -> ThreadPoolExecutor:
    """Return the pool with this number of threads, always the same one.

    Its threads keep the memory into which they write scores: new memory pages would cost as much as the scores.
    """
    if workers not in _pools:
        _pools[workers] = ThreadPoolExecutor(workers, "hybridrec", initializer=lambda: setattr(_here, "works", True))
    return _pools[workers]


def end_threads() -> None:
    """End the threads of all pools, each once its running work is done; later work starts new threads.

    It is called after an interruption: a pool does not know of a thread whose start was interrupted, and the process
    would wait for that thread forever.
    """
    while _pools:
        _pools.popitem()[1].shutdown(cancel_futures=True)


class ThreadPool:
    """A pool of threads of this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @property
    def threads(self) -> ThreadPoolExecutor | None:
        """The executor of the threads; None if the caller has to do the work itself.

        The caller has to do so if there is only one worker, and on a thread of a pool, where waiting for other threads
        might deadlock.
        """
        return _pool(self.workers) if self.workers > 1 and not _here.works else None

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, in the order of the blocks.

        Raises the error of the first block that fails.
        """
        yield from map(work, blocks) if self.threads is None else self.threads.map(work, blocks)


def side_by_side(calls: Sequence[Callable[[], R]]) -> Iterator[R]:
    """Yield the results of calls in their order, while all of them run, each on a thread of its own.

    It is for calls that mostly wait for workers in other processes. Raises the error of the first call that fails.
    After that or an interrupt the other calls are not waited for: they fail once the executor that works for them is
    closed.
    """
    if len(calls) == 1:
        yield calls[0]()
        return
    threads = ThreadPoolExecutor(max(len(calls), 1), "hybridrec-side")
    try:
        futures = [threads.submit(call) for call in calls]
        for future in futures:
            yield future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def call_within(seconds: float, call: Callable[[], R]) -> R:
    """Return `call()`, which runs on a thread of its own; raises its error.

    Raises Unreturned if the call takes longer than so many seconds. Its thread goes on then, as no thread can be ended,
    but does not hold the process when this ends.
    """
    returned: list[R] = []
    raised: list[BaseException] = []
    works = _here.works

    def carry_out() -> None:
        _here.works = works
        try:
            returned.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=carry_out, name="hybridrec-limited", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not returned:
        raise Unreturned(sys._current_frames().get(thread.ident or 0))
    return returned[0]


class Unreturned(Exception):  # noqa: N818
    """The error for a call that has not returned in time.

    frame: the innermost frame of its thread; None if it ended meanwhile
    """

    def __init__(self, frame: FrameType | None) -> None:
        """Set the frame."""
        super().__init__("a call has not returned in time")
        self.frame = frame


class _Limit:
    """The thread limit of the libraries, with the number of contexts that hold it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.limits: threadpool_limits | None = None


_limit = _Limit()


@contextmanager
def one_thread_per_library() -> Iterator[None]:
    """Limit BLAS and similar libraries to one thread while the context is open.

    The limit belongs to the process. Therefore, if several threads open the context, the first one sets the limit and
    the last one lifts it: if each restored what it found, a thread could restore another thread's limit.
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
