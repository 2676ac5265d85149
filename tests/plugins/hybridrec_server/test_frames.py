"""Messages between the front and a worker: whole in any pieces, and an end that everybody hears of."""

import asyncio
import socket

import pytest

from hybridrec_server.frames import Connection, frame, receive_frame


def test_a_message_comes_as_it_was_sent_in_any_pieces():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sent = frame({"do": "recommend", "ids": ["é", "b"]}, b"\x00payload") + frame({})
        for place in range(len(sent)):
            ours.sendall(sent[place : place + 1])
        assert receive_frame(theirs) == ({"do": "recommend", "ids": ["é", "b"]}, b"\x00payload")
        assert receive_frame(theirs) == ({}, b"")
        ours.close()
        with pytest.raises(EOFError):
            receive_frame(theirs)


def test_questions_are_answered_over_a_connection_until_it_ends():
    async def main():
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, sock=ours)
        asked = asyncio.ensure_future(connection.ask({"n": 1}))
        assert await asyncio.to_thread(receive_frame, theirs) == ({"n": 1}, b"")
        reply = frame({"ok": True}, b"x" * 300_000)
        await asyncio.to_thread(theirs.sendall, reply)
        assert await asked == ({"ok": True}, b"x" * 300_000)
        pending = asyncio.ensure_future(connection.ask({"n": 2}))
        await asyncio.to_thread(receive_frame, theirs)
        theirs.close()
        with pytest.raises(EOFError):
            await pending
        assert connection.lost.done()
        with pytest.raises(EOFError):
            await connection.ask({"n": 3})
        connection.close()

    asyncio.run(main())
