"""Messages between the front and a worker: a header in JSON and a payload of bytes, each with its length before it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from socket import socket
from typing import Any, cast

import orjson

_LENGTHS = struct.Struct("!II")


def frame(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Return a message as bytes."""
    text = orjson.dumps(header)
    return b"".join((_LENGTHS.pack(len(text), len(payload)), text, payload))


class Connection(asyncio.Protocol):
    """The front's end of the connection to a worker, over which one question is open at a time."""

    def __init__(self) -> None:
        """Make a connection that is not connected yet."""
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done once the worker has closed its end, which it does only by ending."""
        self._reply: asyncio.Future[tuple[dict[str, Any], bytes]] | None = None
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport of the socket."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that the worker is gone."""
        if not self.lost.done():
            self.lost.set_result(None)
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(EOFError())

    def data_received(self, data: bytes) -> None:
        """Gather the bytes of a message, and hand it over once it is complete."""
        self._received += data
        if len(self._received) < _LENGTHS.size:
            return
        header, payload = _LENGTHS.unpack_from(self._received)
        start = _LENGTHS.size + header
        if len(self._received) < start + payload:
            return
        text, body = self._received[_LENGTHS.size : start], bytes(self._received[start : start + payload])
        self._received.clear()
        if self._reply is not None and not self._reply.done():
            self._reply.set_result((orjson.loads(text), body))

    async def ask(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the reply to a question, and its payload; raises EOFError if the worker ends before."""
        if self._transport is None or self.lost.done():
            raise EOFError
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(frame(question))
        return await self._reply

    def close(self) -> None:
        """Close this end; the worker ends when it reads the next question."""
        if self._transport is not None:
            self._transport.close()


def receive_frame(connection: socket) -> tuple[dict[str, Any], bytes]:
    """Wait for a message; raises EOFError once the other side is gone."""
    sizes = _LENGTHS.unpack(_receive(connection, _LENGTHS.size))
    return orjson.loads(_receive(connection, sizes[0])), bytes(_receive(connection, sizes[1]))


def _receive(connection: socket, size: int) -> bytearray:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return content
