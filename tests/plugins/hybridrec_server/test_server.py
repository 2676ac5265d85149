"""The front process on a real socket: bounds, signals, the end."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import pytest

from hybridrec import ConfigError
from hybridrec_server import server as module
from hybridrec_server.log import Log
from hybridrec_server.protocols import NullMetrics
from hybridrec_server.security import made
from hybridrec_server.server import Parts, Server, notify
from hybridrec_server.settings import KEYS_VARIABLE, ServerSettings
from tests.plugins.hybridrec_server.fakes import FakeDispatcher, FakeEvents

SCRIPT = Path(__file__).with_name("serve_fake.py")
POST = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Running:
    """A server process with its address."""

    def __init__(self, process: subprocess.Popen, address: str) -> None:
        self.process, self.address = process, address
        self.port = int(address.rpartition(":")[2])

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, list[dict]]:
        """Send a signal; return exit status, last words and log lines."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=600)
        return self.process.returncode, out.strip(), [json.loads(line) for line in err.splitlines()]


@contextmanager
def running(bundle="toy.hybridrec", delay=0.0, drain=10.0, **environment) -> Iterator[Running]:
    command = [sys.executable, "-W", "error", str(SCRIPT), str(bundle), "0", str(delay), str(drain)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env={**os.environ, **environment}, **pipes)
    try:
        address = process.stdout.readline().strip()
        assert address, process.communicate()[1]
        yield Running(process, address)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_server_answers_and_ends_in_order_at_sigterm():
    with running() as server:
        response = httpx.post(server.address + "/v1/recommend", json={"items": ["x"]})
        assert response.json()["items"]
        assert "server" not in response.headers
        status, last, lines = server.end()
    assert (status, last) == (0, "start events stop events start stop")
    assert [line["event"] for line in lines] == ["request", "draining"]


def test_a_request_that_was_accepted_is_answered_after_sigterm():
    with running(delay=1.0) as server:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(httpx.post(server.address + "/v1/recommend", json={})))
        thread.start()
        time.sleep(0.4)
        status, _, _ = server.end()
        thread.join()
    assert (status, answers[0].status_code) == (0, 200)
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.address + "/health/live")


@pytest.mark.slow
def test_a_request_that_takes_longer_than_the_drain_is_given_up():
    with running(delay=30.0, drain=1.0) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        time.sleep(0.4)
        started = time.perf_counter()
        status, _, _ = server.end()
        connection.close()
    assert status == 0
    assert time.perf_counter() - started < 10


@pytest.mark.slow
def test_a_second_signal_ends_at_once():
    with running(delay=30.0, drain=60.0) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        time.sleep(0.4)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        status, _, _ = server.end(signal.SIGINT)
        connection.close()
    assert status == 0


def test_sighup_reloads_the_bundle_and_the_keys(tmp_path):
    with running() as server:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        _, last, lines = server.end()
    assert "reload toy.hybridrec False" in last
    assert [line["swapped"] for line in lines if line["event"] == "reload"] == [True]


def test_a_server_that_still_starts_gives_up_at_sigterm():
    class Slow(FakeDispatcher):
        async def start(self):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(30)

    dispatcher, events = Slow(), FakeEvents()
    settings = ServerSettings(bundle=Path("toy.hybridrec"), port=0)
    started = time.perf_counter()
    Server(settings, Parts(dispatcher, NullMetrics(), events), Log("off"), {}).run(print)
    assert time.perf_counter() - started < 10
    assert (events.steps, dispatcher.steps) == (["start events", "stop events"], ["stop"])


@pytest.mark.slow
def test_a_symbolic_link_that_leads_elsewhere_reloads(tmp_path):
    link = tmp_path / "current.hybridrec"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link.symlink_to("one")
    with running(bundle=link) as server:
        time.sleep(0.3)
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        time.sleep(module.LINK_SECONDS + 0.7)
        _, last, _ = server.end()
    assert last.count("reload ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["signal", "request"])
def test_a_link_and_a_signal_or_request_are_one_reload(tmp_path, way):
    """A second one would leave nothing to roll back to."""
    link = tmp_path / "current.hybridrec"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link.symlink_to("one")
    with running(bundle=link) as server:
        time.sleep(0.3)
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        if way == "signal":
            server.process.send_signal(signal.SIGHUP)
        else:
            assert httpx.post(server.address + "/admin/reload", json={}).json()["swapped"]
        time.sleep(module.LINK_SECONDS + 0.7)
        _, last, _ = server.end()
    assert last.count("reload ") == 1


def raw(server: Running, *blocks: bytes, wait: float = 0.0) -> bytes:
    """Send bytes and return all that comes back until the server closes; after 2 seconds "open" stands at the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        received = b""
        try:
            for block in blocks:
                connection.sendall(block)
                time.sleep(wait)
            while block := connection.recv(65_536):
                received += block
        except TimeoutError:
            return received + b"open"
        except ConnectionError:
            pass
        return received


def test_bytes_that_are_not_http_and_endless_headers_end_the_connection_alone():
    with running() as server:
        assert b"400" in raw(server, b"\x16\x03\x01 hello\r\n\r\n").split(b"\r\n")[0]
        endless = [b"GET / HTTP/1.1\r\nHost: localhost\r\n"] + [b"X: " + b"y" * 8_000 + b"\r\n"] * 12
        assert raw(server, *endless, wait=0.02) == b""
        assert b"200" in raw(server, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[:20]
        too_large = POST + b"Content-Length: 99999999\r\n\r\n{"
        assert b"413" in raw(server, too_large)[:20]
        chunks = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        assert b"413" in raw(server, chunks, *[chunk] * 20)[:20]
        two = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2
        assert raw(server, two).count(b"200 OK") == 2
        assert httpx.get(server.address + "/health/live").status_code == 200


def test_slow_headers_are_cut_off(monkeypatch):
    with in_thread(monkeypatch, seconds=0.3) as port:
        for begin in (b"", b"GET /health/live HTTP/1.1\r\nHost: loc"):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(begin)
                started = time.perf_counter()
                assert connection.recv(100) == b""
                assert 0.1 < time.perf_counter() - started < 3
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            for _ in range(2):  # a connection that was used may wait
                connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(4_000).startswith(b"HTTP/1.1 200")
                time.sleep(0.6)


@contextmanager
def in_thread(monkeypatch, seconds: float) -> Iterator[int]:
    """Run a server in a thread of this process, with a bound of time for headers; give its port."""
    monkeypatch.setattr(module, "HEADER_SECONDS", seconds)
    monkeypatch.setattr(module.Server, "_signals", lambda _: nullcontext())  # only the main thread has signals
    parts = Parts(FakeDispatcher(), NullMetrics())
    server = Server(ServerSettings(bundle=Path("toy.hybridrec"), port=0), parts, Log("off"), {})
    ports: list[int] = []
    thread = threading.Thread(
        target=server.run, args=(lambda address: ports.append(int(address.rpartition(":")[2])),), daemon=True
    )
    thread.start()
    while not ports:
        time.sleep(0.01)
    yield ports[0]
    server._http.should_exit = True
    thread.join()


def test_collections_pass_over_what_is_loaded_while_a_server_runs(monkeypatch):
    loaded = len(gc.get_objects())
    with in_thread(monkeypatch, 5.0):
        assert gc.get_freeze_count() > 0.9 * loaded
        assert len(gc.get_objects()) < 0.1 * loaded
    assert not gc.get_freeze_count()


def test_an_address_that_is_taken_is_a_message():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = ServerSettings(bundle=Path("toy.hybridrec"), port=port)
        dispatcher = FakeDispatcher()
        server = Server(settings, Parts(dispatcher, NullMetrics()), Log("off"), {})
        with pytest.raises(ConfigError, match=f"--port {port}: Address already in use"):
            server.run(print)
        assert dispatcher.steps == []


def test_a_part_that_does_not_start_stops_those_before_it():
    class Broken(FakeDispatcher):
        async def start(self):
            raise ConfigError("no such bundle")

    steps = []

    class Store:
        async def start(self):
            steps.append("start")

        async def stop(self):
            steps.append("stop")

    server = Server(ServerSettings(bundle=Path("b"), port=0), Parts(Broken(), NullMetrics(), Store()), Log("off"), {})
    with pytest.raises(ConfigError, match="no such bundle"):
        server.run(print)
    assert steps == ["start", "stop"]


def test_systemd_is_told_when_the_server_is_ready_and_when_it_ends(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(10)
        with running(NOTIFY_SOCKET=str(tmp_path / "notify")) as server:
            assert channel.recv(100) == b"READY=1"
            server.end()
            assert channel.recv(100) == b"STOPPING=1"


def test_without_systemd_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nix/there")
    notify("READY=1")


def test_keys_hold_on_a_socket():
    key, line = made("web", "read")
    with running(**{KEYS_VARIABLE: line}) as server:
        assert httpx.post(server.address + "/v1/recommend", json={}).status_code == 401
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(server.address + "/v1/recommend", json={}, headers=headers).status_code == 200
