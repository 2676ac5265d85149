"""The front process: its socket, its signals, and the order in which its parts start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybridrec import ConfigError, HybridrecError
from hybridrec_server import security
from hybridrec_server.app import ServerApp
from hybridrec_server.handlers import Handlers, log_outcome
from hybridrec_server.log import Log, LogHandler
from hybridrec_server.protocols import Overloaded, RequestProblem

if TYPE_CHECKING:
    from hybridrec_server.protocols import Dispatcher, KeptEvents, Metrics
    from hybridrec_server.schemas import Reloaded
    from hybridrec_server.settings import ServerSettings

MAX_HEADERS = 32_768
"""Bytes of the longest address and headers of a request."""
HEADER_SECONDS = 10.0
"""Seconds within which the headers of a request have to come."""
LINK_SECONDS = 2.0
"""Seconds between two looks at the symbolic links that lead to the bundle."""
BACKLOG = 2_048
LOGGERS = ("asyncio", "hybridrec_server", "uvicorn")
"""Loggers of Python whose warnings become log lines of the server."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a server asks; without `events` none are taken, and no answers are kept."""

    dispatcher: Dispatcher
    metrics: Metrics
    events: KeptEvents | None = None


class BoundedProtocol(HttpToolsProtocol):
    """The HTTP of uvicorn with bounds of length and time for headers; a client beyond them is cut off."""

    _length = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of a request."""
        super().on_message_begin()
        self._length = 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._wait_no_more()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse bytes; cut the client off if they still are headers, and too many."""
        super().data_received(data)
        if self._timer is not None:
            self._length += len(data)
            if self._length > MAX_HEADERS:
                self.transport.close()

    def _wait(self) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _UvicornServer(uvicorn.Server):
    """A uvicorn server that leaves signals to its caller, and says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._listening()


class Server:
    """The front process of a server."""

    def __init__(self, settings: ServerSettings, parts: Parts, log: Log, environment: Mapping[str, str]) -> None:
        """Read the keys; raises as `security.keyring`."""
        self._settings = settings
        self._parts = parts
        self._log = log
        self._environment = environment
        self._keys = security.keyring(settings, environment)
        self._handlers = Handlers(settings, parts.dispatcher, parts.metrics, log, self._keys, parts.events)
        app = ServerApp(self._handlers, settings, parts.metrics, log, self._keys)
        self._config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=max(1, round(settings.drain)),
        )
        self._handlers.on_reload = self._note_target
        self._target: Path | None = None
        self._http: uvicorn.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, listening: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT, then finish what was accepted.

        listening: is told the address of the server once it answers

        Raises ConfigError for an address that cannot be listened on, and what the parts raise when they start.
        """
        with _bind(self._settings.host, self._settings.port) as listener:
            handler = LogHandler(self._log)
            for name in LOGGERS:
                logging.getLogger(name).addHandler(handler)
            try:
                with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
                    runner.run(self._serve(listener, listening))
            except asyncio.CancelledError:
                if not self._handlers.draining:
                    raise  # nobody sent a signal
            finally:
                for name in LOGGERS:
                    logging.getLogger(name).removeHandler(handler)

    async def _serve(self, listener: socket.socket, listening: Callable[[str], None]) -> None:
        parts = self._parts
        async with AsyncExitStack() as started:
            started.enter_context(self._signals())
            if parts.events is not None:
                await parts.events.start()
                started.push_async_callback(parts.events.stop)
            started.push_async_callback(parts.dispatcher.stop, self._settings.drain)
            self._note_target()
            await parts.dispatcher.start()
            gc.collect()
            gc.freeze()  # what is loaded stays: collections, one every few requests, pass over it
            started.callback(gc.unfreeze)

            def announce() -> None:
                listening(_address(listener))
                notify("READY=1")

            self._http = _UvicornServer(self._config, announce)
            watch = asyncio.create_task(self._watch_links())
            started.callback(watch.cancel)
            await self._http.serve(sockets=[listener])

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Drain at SIGTERM and SIGINT, end at a second one at once, and reload at SIGHUP.

        A server that still starts gives up. As the first process of a container it would otherwise not see SIGTERM.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(name: str) -> None:
            again, self._handlers.draining = self._handlers.draining, True
            if not again:
                self._log.info("draining", signal=name)
                notify("STOPPING=1")
            if self._http is None:
                if task is not None:
                    task.cancel()
            elif again:
                self._http.force_exit = True
            else:
                self._http.should_exit = True

        actions: dict[str, Callable[[], None]] = {
            "SIGTERM": lambda: end("SIGTERM"),
            "SIGINT": lambda: end("SIGINT"),
            "SIGHUP": lambda: None if self._http is None else self._start_reload(),
        }
        caught = []
        for name, action in actions.items():
            with suppress(NotImplementedError, AttributeError):  # Windows has none of this
                loop.add_signal_handler(getattr(signal, name), action)
                caught.append(getattr(signal, name))
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    def _start_reload(self) -> None:
        """Read the keys again, and swap to what lies at the path of the bundle now."""
        try:
            self._keys.replace(security.keyring(self._settings, self._environment))
        except HybridrecError as error:
            self._log.warning("keys_refused", message=str(error))
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        """Swap to what lies at the path of the bundle now; log the outcome."""
        self._note_target()
        try:
            outcome: Reloaded = await self._parts.dispatcher.reload(self._settings.bundle, False)
        except (HybridrecError, Overloaded, RequestProblem) as error:
            self._log.warning("reload_refused", message=str(error))
            return
        log_outcome(self._log, outcome)

    async def _watch_links(self) -> None:
        """Watch the bundle: swap when a symbolic link on the way to the bundle leads elsewhere."""
        while True:
            await asyncio.sleep(LINK_SECONDS)
            if (now := _target(self._settings.bundle)) is not None and now != self._target:
                await self._reload()

    def _note_target(self) -> None:
        """Note where the path of the bundle leads, so that one change of it makes one swap.

        With a second one the bundle before would be the same, and nothing would be left to roll back to.
        """
        self._target = _target(self._settings.bundle)


def _target(bundle: Path) -> Path | None:
    """Return the file or folder that a path leads to; None if it leads nowhere."""
    with suppress(OSError):
        return bundle.resolve(strict=True)
    return None


@contextmanager
def _bind(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address, on which nobody listens yet; raises ConfigError if that cannot be.

    Until the server is ready, clients are refused at once in the place of waiting.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        if os.name == "posix":  # elsewhere the option would let two servers share the address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), port))
        except OSError as error:
            raise ConfigError(f"--host {host} --port {port}: {error.strerror or error}") from None
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def notify(state: str) -> None:
    """Tell systemd the state of this service, if it asks for it by `NOTIFY_SOCKET`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
