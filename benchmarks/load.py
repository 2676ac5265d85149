"""Closed-loop load on an HTTP server: so many connections, each of which asks again when it is answered.

`python -m benchmarks.load PORT BODIES CONNECTIONS SECONDS [--core N] [--path PATH]` posts each line of a file as a
body, in turn, by default to `/v1/recommend`. It prints a line of JSON: requests, statuses, degraded answers, quantiles
of seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from itertools import count
from pathlib import Path
from statistics import fmean, quantiles

PATH = "/v1/recommend"


def request(body: str, path: str = PATH) -> bytes:
    """Return an HTTP request as bytes."""
    if body == "empty":
        return b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    content = body.encode()
    return (
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (path.encode(), len(content))
    ) + content


class Client(asyncio.Protocol):
    """One connection, which sends the next request as soon as an answer is complete."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed."""
        if not self.ended.done():
            self._load.statuses["closed"] += 1
            self.ended.set_result(None)

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._number, content = self._load.next()
        self._transport.write(content)

    def data_received(self, data: bytes) -> None:
        """Gather an answer; once it is complete, count it and send the next request."""
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        headers = bytes(self._received[:head]).lower()
        length = int(headers.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._received) < head + 4 + length:
            return
        now = time.perf_counter()
        self._load.tell(self._number, headers[9:12].decode(), now - self._started, bytes(self._received[head + 4 :]))
        self._received.clear()
        if self._load.goes_on():
            self._send()
        else:
            self.ended.set_result(None)
            self._transport.close()


class Load:
    """The requests of a run, and what became of them."""

    def __init__(self, bodies: list[str], seconds: float, path: str = PATH) -> None:
        self._requests = [request(body, path) for body in bodies]
        self._numbers = count()
        self.ends = time.perf_counter() + seconds
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.degraded = 0

    def next(self) -> tuple[int, bytes]:
        """Return the next request, with its place among the bodies."""
        place = next(self._numbers) % len(self._requests)
        return place, self._requests[place]

    def goes_on(self) -> bool:
        """Return True if there is time for more."""
        return time.perf_counter() < self.ends

    def tell(self, place: int, status: str, seconds: float, body: bytes) -> None:
        """Count the answer to the body of this place."""
        self.statuses[status] += 1
        self.seconds.append(seconds)
        self.degraded += b'"degraded":true' in body


async def run(port: int, load: Load, connections: int) -> Load:
    """Ask a server on this machine over so many connections until the load ends."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: Client(load), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(client.ended for client in clients))
    return load


def main() -> None:
    """Run the load that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--core", type=int)
    parser.add_argument("--path", default=PATH)
    asked = parser.parse_args()
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    load = Load(asked.bodies.read_text().splitlines(), asked.seconds, asked.path)
    asyncio.run(run(asked.port, load, asked.connections))
    percentiles = quantiles(load.seconds, n=100)
    print(
        json.dumps(
            {
                "requests": len(load.seconds),
                "statuses": load.statuses,
                "degraded": load.degraded,
                "mean": fmean(load.seconds),
                "p50": percentiles[49],
                "p99": percentiles[98],
            }
        )
    )


if __name__ == "__main__":
    main()
