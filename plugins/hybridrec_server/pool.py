"""Worker processes as the front sees them: started, asked, killed; and the bundle that a generation of them serves."""

from __future__ import annotations

import asyncio
import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hybridrec import DataError, Features
from hybridrec_server.frames import Connection
from hybridrec_server.page import Page

_LOADING = 900.0
"""The seconds within which a bundle has to be loaded."""
_RUN_BUNDLE = "bundle.hybridrec"
"""The name of the bundle in the folder of a run."""
_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(40 << 20),
}
"""The environment of workers.

A worker answers one batch at a time, and there are several workers: more threads would only wait for each other. glibc
keeps 40 megabytes for the arrays of the next batch: taking new pages for each batch costs a sixth of the CPU of a blend
among 100,000 items.
"""


class Refused(Exception):  # noqa: N818
    """The error for a bundle that cannot serve; the message says why."""


class WorkerGone(Exception):  # noqa: N818
    """The error for a question to a worker that ended, or was killed, before it answered.

    component: the component that was at work, "" if none was
    reason: `hung` for a worker that did not come back in time, `killed` for one that somebody else killed, else
        `crashed`
    """

    def __init__(self, component: str, reason: Literal["hung", "killed", "crashed"]) -> None:
        """Set the component, and why the worker is gone."""
        super().__init__(f"a worker {reason} while '{component}' was at work")
        self.component = component
        self.reason = reason


class OpenBundle:
    """A bundle held open, so that a worker that starts later maps the same file, whatever its path leads to by then."""

    def __init__(self, path: Path) -> None:
        """Open a bundle, or the bundle of a run; raises DataError if the file cannot be opened."""
        self.path = path
        file = path / _RUN_BUNDLE if path.is_dir() else path
        try:
            self.descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            hint = ": set `refit: all` in its config and run it again to serve it" if path.is_dir() else ""
            raise DataError(f"{file} cannot be read: {error.strerror}{hint}") from None
        self._resolved = file.resolve()

    @property
    def inherited(self) -> str:
        """The path by which a worker that inherits the descriptor opens the file."""
        return f"/proc/self/fd/{self.descriptor}" if sys.platform == "linux" else str(self._resolved)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options that all workers have: seconds until a worker hangs, and the plugins that bundles need."""

    hangs_after: float
    plugins: Sequence[Path] = ()
    block: Sequence[str] = ()


class Worker:
    """One worker process. A question is asked only after the one before was answered."""

    def __init__(self, number: int, bundle: OpenBundle, options: WorkerOptions) -> None:
        """Describe the worker; `start` starts it."""
        self.number = number
        self.bundle = bundle
        self.catalogue: dict[str, Any] = {}
        self.attributes: dict[str, Features | None] = {}
        """The features of the ids of each precomputed list of the catalogue."""
        self.busy = False
        self.retired = False
        """True if the worker takes no more questions, as another generation serves."""
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._hung = False

    @property
    def ready(self) -> bool:
        """True while the worker can be asked: its bundle is loaded, and its process has not ended."""
        return bool(self.catalogue) and not self.lost.done()

    @property
    def process(self) -> int | None:
        """The number of the process, None before it is started."""
        return None if self._process is None else self._process.pid

    async def start(self, *, check: bool) -> None:
        """Start the process and let it load the bundle; with `check` it also asks the bundle recorded queries.

        Raises Refused if the bundle cannot serve, also if the process ends.
        """
        try:
            ours = self._launch()
        except OSError as error:  # out of memory, processes or descriptors: it may be better in a moment
            raise Refused(f"{self.bundle.path}: no worker can be started: {error.strerror}") from None
        _, self._connection = await asyncio.get_running_loop().create_connection(Connection, sock=ours)
        load = {
            "do": "load",
            "bundle": self.bundle.inherited,
            "plugins": [str(path) for path in self._options.plugins],
            "block": list(self._options.block),
            "check": check,
        }
        try:
            async with asyncio.timeout(_LOADING):
                reply, payload = await self._connection.ask(load)
        except TimeoutError:
            await self.kill()
            raise Refused(f"{self.bundle.path}: not loaded within {_LOADING:g} seconds") from None
        except EOFError:
            component, code = self._page.name(), await self._reap()
            at = f" while '{component}' was at work" if component else ""
            raise Refused(f"{self.bundle.path}: the worker that loaded it ended with status {code}{at}") from None
        except BaseException:
            await self.kill()
            raise
        if "refused" in reply:
            await self.stop()
            raise Refused(reply["refused"].replace(self.bundle.inherited, str(self.bundle.path)))
        self.catalogue = reply["catalogue"]
        self.attributes = pickle.loads(payload)

    def _launch(self) -> socket.socket:
        """Start the process, and return the front's end of the connection.

        On Linux the process ends with the thread that starts it, which is that of the event loop.
        """
        ours, theirs = socket.socketpair()
        page = _shared_page()
        try:
            self._memory = mmap.mmap(page, mmap.PAGESIZE)
            self._page = Page(self._memory)
            handles = (theirs.fileno(), page)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hybridrec_server.worker", *map(str, (*handles, os.getpid()))],
                pass_fds=(*handles, self.bundle.descriptor),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what plugins print
                env=os.environ | _ENVIRONMENT,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(page)
        return ours

    async def ask(self, question: Mapping[str, Any], *, patience: float = 1.0) -> tuple[dict[str, Any], bytes]:
        """Return the reply to a question, and its payload.

        A worker that does not answer in time is killed; `patience` multiplies that time. Raises WorkerGone if it ends.
        """
        hangs_after = patience * self._options.hangs_after
        watch = asyncio.get_running_loop().call_later(hangs_after, self._kill_hung)
        self.busy = True
        try:
            return await self._connection.ask(question)
        except EOFError:
            raise await self.gone() from None
        finally:
            watch.cancel()
            self.busy = False

    @property
    def lost(self) -> asyncio.Future[None]:
        """Done once the process has ended, also while nobody asks it anything."""
        return self._connection.lost

    async def gone(self) -> WorkerGone:
        """Return the error about the process, which has ended."""
        component, code = self._page.name(), await self._reap()
        if self._hung:
            return WorkerGone(component, "hung")
        return WorkerGone(component, "killed" if code == -signal.SIGKILL else "crashed")

    async def kill(self) -> None:
        """End the process now."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._reap()

    async def stop(self) -> None:
        """End the process, which waits for questions."""
        if self._process is not None and self._process.returncode is None:
            await self._reap()

    def _kill_hung(self) -> None:
        assert self._process is not None
        self._hung = True
        self._process.kill()

    async def _reap(self) -> int:
        """Wait until the process is gone, give back what it had, and return its status."""
        assert self._process is not None
        self._connection.close()
        try:
            code = await asyncio.to_thread(self._process.wait, 5)
        except subprocess.TimeoutExpired:  # a plugin's thread, say, that keeps it from ending
            self._process.kill()
            code = await asyncio.to_thread(self._process.wait)
        self._memory.close()
        return code


def _shared_page() -> int:
    """Return the descriptor of a page of memory that has no name."""
    if hasattr(os, "memfd_create"):
        page = os.memfd_create("hybridrec")
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            page = os.dup(file.fileno())
    os.ftruncate(page, mmap.PAGESIZE)
    return page


async def start_generation(
    bundle: OpenBundle, options: WorkerOptions, workers: int, *, check: bool = True
) -> list[Worker]:
    """Start workers that serve a bundle; all of them, or none. The first one checks the bundle. Raises Refused."""
    started: list[Worker] = []
    try:
        for number in range(workers):
            worker = Worker(number, bundle, options)
            await worker.start(check=check and not number)
            started.append(worker)
            if worker.catalogue["bundle"] != started[0].catalogue["bundle"]:
                raise Refused(f"{bundle.path} was changed while it was read")
    except BaseException:
        await asyncio.gather(*(worker.stop() for worker in started))
        raise
    return started
