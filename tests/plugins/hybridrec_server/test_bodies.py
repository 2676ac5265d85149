"""Bodies of requests: limits, and JSON in which nothing is ambiguous."""

from __future__ import annotations

import asyncio
import json

import pytest

from hybridrec_server.bodies import ClientGone, parse, read_body
from hybridrec_server.problems import Problem

JSON = {b"content-type": b"application/json"}


def read(*blocks: bytes, headers=JSON, limit=100, seconds=5.0, wait=0.0) -> bytes:
    messages = [{"type": "http.request", "body": block, "more_body": True} for block in blocks]
    if messages:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})

    async def receive():
        await asyncio.sleep(wait)
        return messages.pop(0)

    return asyncio.run(read_body(headers, receive, limit, seconds))


def test_a_body_comes_in_blocks():
    assert read(b"{", b"}") == b"{}"
    assert read(b"{}", headers={b"content-type": b"Application/JSON; charset=utf-8", b"content-length": b"2"}) == b"{}"


@pytest.mark.parametrize(
    ("blocks", "options", "kind"),
    [
        ((b"x" * 101,), {}, "too-large"),
        ((b"x" * 60, b"x" * 60), {}, "too-large"),
        ((b"{}",), {"headers": JSON | {b"content-length": b"101"}}, "too-large"),
        ((b"{}",), {"headers": JSON | {b"content-length": b"9" * 5000}}, "too-large"),
        ((b"{}",), {"headers": {}}, "media-type"),
        ((b"{}",), {"headers": {b"content-type": b"text/plain"}}, "media-type"),
        ((b"{}",), {"headers": JSON | {b"content-encoding": b"gzip"}}, "media-type"),
        ((b"{}",), {"seconds": 0.01, "wait": 1.0}, "body-timeout"),
    ],
)
def test_a_body_beyond_a_limit_is_a_problem(blocks, options, kind):
    with pytest.raises(Problem) as caught:
        read(*blocks, **options)
    assert caught.value.kind == kind


def test_a_body_of_the_limit_is_read():
    assert read(b"x" * 100, headers=JSON | {b"content-length": b"100"}) == b"x" * 100


def test_a_client_that_goes_away_gets_no_answer():
    with pytest.raises(ClientGone):
        read()


def test_a_body_is_an_object():
    assert parse('{"ü": [1, "\\ud83d\\ude00", null]}'.encode()) == {"ü": [1, "😀", None]}
    for body in (b"[]", b"3", b'"a"', b"null"):
        with pytest.raises(Problem, match="not a JSON object"):
            parse(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "line 1, column 1"),
        (b'{\n "a": 1,}', "line 2"),
        (b"{} {}", "Extra data"),
        (b'{"a": {"b": 1, "b": 2}, ', "line 1, column 25"),
        (b"\xff", "not UTF-8: byte 0"),
        (b"\xef\xbb\xbf{}", "line 1, column 1"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "too many digits"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": "\x01"}', "control character"),
    ],
)
def test_bytes_that_are_not_json_are_malformed(body, message):
    with pytest.raises(Problem, match=message) as caught:
        parse(body)
    assert caught.value.kind == "malformed"


def test_a_key_that_stands_twice_among_very_many_is_found_at_once():
    keys = ",".join(f'"{number:06}":0' for number in range(60_000))  # compared in pairs they would take half a minute
    with pytest.raises(Problem) as caught:
        parse(f'{{{keys},"059999":0}}'.encode())
    assert [place for place, _ in caught.value.mistakes] == ["059999"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('{"queries": [{"n": 1}, {"context": {"x": 1, "y": 2, "x": 3}}]}', "queries[1].context.x"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        (("[" * 900).join(['{"a": ', '{"b": 1, "b": 2}']) + "]" * 900 + "}", "a" + "[0]" * 66 + "[..."),
        ('{"\\ud800": 1, "\\ud800": 2}', "?"),
    ],
)
def test_a_key_that_stands_twice_is_a_mistake_with_its_path(body, path):
    with pytest.raises(Problem) as caught:
        parse(body.encode())
    assert caught.value.kind == "invalid"
    assert [place for place, _ in caught.value.mistakes] == [path]
    json.loads(caught.value.body("trace"))
