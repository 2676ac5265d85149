"""The executor of processes: a component that hangs or ends its process is named, and the run outlives it."""

from __future__ import annotations

import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Self, TypeVar

from pydantic import Field

from hybridrec import tracing
from hybridrec.engine.executor import Executor, ExecutorPlugin, dispatch_jobs
from hybridrec.engine.fit import FitContext, FitJob, FitOutcome, FitTimeoutError, run_fit_job
from hybridrec.errors import PluginError
from hybridrec.plugin import Options

R = TypeVar("R")
T = TypeVar("T")
RETRIES = 1
"""The number of times that a job is tried again after it hung or its process ended."""
START = 300.0
"""Seconds in which a process with a limit has to start and to load its plugins."""
GRACE = 10.0
"""Seconds after its limit at which a process is killed that does not say by itself that the limit is over."""


class ProcessExecutor:
    """An executor of processes of this machine, which share the store alone.

    A fit that takes longer than `fit_timeout` is killed with its process. What a process was at that was killed, or
    ended by itself, is tried once more in another one, and then refused with an error that names the component. Start
    it under `if __name__ == "__main__":`, since its processes import the script that started them. They end with
    `close`, or with this process.
    """

    needs_parts = True

    def __init__(self, workers: int, *, retries: int = RETRIES) -> None:
        """Use at most so many processes, each started when it is needed first."""
        self.workers = workers
        self.retries = retries
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, "hybridrec-processes")
        weakref.finalize(self, _end, self._idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, once what they are at is done."""
        self._threads.shutdown(cancel_futures=True)
        _end(self._idle)

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs and yield the outcomes as they end.

        Raises FitTimeoutError for a fit that never returns, and PluginError for one that ends its process, each after
        `retries` more attempts.
        """
        return dispatch_jobs(jobs, lambda job: self._threads.submit(self._fit, job, context), context.memory)

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, in the order of the blocks."""
        return self._threads.map(partial(self._call, work), blocks)

    def _fit(self, job: FitJob, context: FitContext) -> FitOutcome:
        limit = None if context.timeout is None else context.timeout + GRACE
        with tracing.traced(f"waiting for the process that fits components.{job.label} ({job.component})"):
            return self._call(run_fit_job, job, context, seconds=limit)

    def _call(self, function: Callable[..., R], *arguments: object, seconds: float | None = None) -> R:
        """Call a function in a process that is idle, or in a new one; again if it hangs or ends its process."""
        content = pickle.dumps((function, arguments))
        attempt = 0
        while True:
            attempt += 1
            try:
                worker = self._idle.get_nowait()
            except queue.Empty:
                worker = _Worker()
            try:
                result: R = worker.call(content, seconds)
            except (ProcessEndedError, FitTimeoutError) as error:
                worker.kill()
                if attempt <= self.retries:
                    continue
                if attempt > 1:
                    error.add_note(f"it was tried {attempt} times, each time in another process")
                raise
            except BaseException:
                worker.release(self._idle)
                raise
            worker.release(self._idle)
            return result


class ProcessOptions(Options):
    """Options of `processes`."""

    retries: int = Field(RETRIES, ge=0)
    """Number of times that a fit is tried again after it hung or its process ended."""


class Processes(ExecutorPlugin):
    """Processes of this machine, as many as `workers` of the config, by default one for each core.

    They map the data from the store, and outlive a component that hangs or ends its process: what it was at is tried
    once more, then refused with the name of the component.
    """

    name = "processes"
    Config = ProcessOptions
    config: ProcessOptions

    def open(self, workers: int) -> AbstractContextManager[Executor]:
        """Return the executor, whose processes start when they are needed."""
        return ProcessExecutor(workers, retries=self.config.retries)


class ProcessEndedError(PluginError):
    """The error for a component that ended its process."""


class _Worker:
    """A process that carries out one call after another."""

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.busy = self.began = False

    def call(self, content: bytes, seconds: float | None) -> Any:
        """Carry out a pickled call and return its result, or raise its error.

        Raises FitTimeoutError after so many seconds since it began, and PluginError if the process ends; both name the
        call into a plugin that it was at.
        """
        self.busy = True
        until = None if seconds is None else time.monotonic() + START
        action = ""
        try:
            self.connection.send_bytes(content)
            while True:
                left = None if until is None else max(until - time.monotonic(), 0.0)
                if not self.connection.poll(left):
                    raise FitTimeoutError(f"{_told(action)} did not return in {seconds:g} s, and was killed")
                kind, value = pickle.loads(self.connection.recv_bytes())
                if kind == "at":
                    action = value
                elif kind == "begun":
                    self.began = True
                    until = None if seconds is None else time.monotonic() + seconds
                else:
                    break
        except (EOFError, ConnectionError):
            reason = _reason(self._exit_code())
            if not self.began:
                raise ProcessEndedError(
                    f"a process of the executor did not start ({reason}): a script that starts it does so under "
                    '`if __name__ == "__main__":`'
                ) from None
            raise ProcessEndedError(f"{_told(action)} ended its process ({reason})") from None
        self.busy = False
        if kind == "failed":  # outside of `try`: the call may raise an EOFError of its own
            raise value
        return value

    def _exit_code(self) -> int | None:
        """Return the exit code of a process that closed its end of the connection; None if it goes on."""
        # `join` with a limit has none for a process that has closed all its files, the one that tells its end included.
        until = time.monotonic() + GRACE
        while self.process.exitcode is None and time.monotonic() < until:
            time.sleep(0.01)
        return self.process.exitcode

    def release(self, idle: queue.SimpleQueue[_Worker]) -> None:
        """Put the process among those that are idle; end it if it is still at a call that was given up."""
        if self.busy:
            self.kill()
        else:
            idle.put(self)

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _told(action: str) -> str:
    return action or "the engine, outside of any plugin,"


def _reason(code: int | None) -> str:
    """Describe the exit code of a process, which is None if it only closed its end of the connection."""
    if code is None:
        return "it closed its connection"
    if code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{name}; the system ends a process so that takes too much memory" if name == "SIGKILL" else name
    return f"exit status {code}"


def _end(idle: queue.SimpleQueue[_Worker]) -> None:
    with suppress(queue.Empty):
        while True:
            idle.get_nowait().kill()


def _serve(connection: Connection) -> None:
    """Carry out calls until the other end of the connection is closed, and say which plugin is at work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the parent decides
    os.dup2(2, 1)  # standard output is for the result
    sys.stdout = sys.stderr
    faulthandler.enable()
    threading.Thread(target=_end_with_parent, daemon=True, name="hybridrec parent").start()
    lock = threading.Lock()

    def send(kind: str, value: object) -> None:
        try:
            content = pickle.dumps((kind, value))
            if kind == "failed":  # many an error can be written, and not be read again
                pickle.loads(content)
        except Exception as error:
            content = pickle.dumps(("failed", _plain(value, error)))
        with lock, suppress(OSError):
            connection.send_bytes(content)

    tracing.LISTENERS.append(partial(send, "at"))
    while True:
        try:
            function, arguments = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        except BaseException as error:
            send("failed", error)
            continue
        send("begun", None)
        try:
            result = function(*arguments)
        except BaseException as error:
            send("failed", error)
        else:
            send("done", result)


def _end_with_parent() -> None:
    """End this process once the one that started it was killed, which cannot end what hangs here any more."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _plain(value: object, error: Exception) -> PluginError:
    """Return an error that can be pickled, in place of an error or a result that cannot."""
    told = value if isinstance(value, BaseException) else error
    plain = PluginError(f"{type(told).__name__}: {told}")
    for note in getattr(told, "__notes__", ()):
        plain.add_note(str(note))
    return plain
