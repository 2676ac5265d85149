"""Bodies of requests: read within limits, and parsed as JSON in which nothing is ambiguous."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from hybridrec_server.problems import Problem, invalid, joined, shortened

if TYPE_CHECKING:
    from starlette.types import Receive

READ_ON, READ_ON_SECONDS = 8, 1.0
"""The bytes of a body beyond the limit that are read and thrown away, in limits, and the seconds for it."""


class ClientGone(Exception):  # noqa: N818
    """The error for a client that went away before its request was complete; there is nobody to answer."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int, seconds: float) -> bytes:
    """Return the body of a request.

    headers: those of the request, with names in lower case

    Raises Problem for a body of more than `limit` bytes, one that does not come within these seconds, and one whose
    type is not JSON. A page of another site cannot send this type unless the browser asks first, and the server
    does not answer that it may.
    """
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise Problem("media-type", "the header Content-Type has to be application/json")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise Problem("media-type", "the header Content-Encoding is not understood; send the body as it is")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise await _too_large(receive, limit)
    blocks, size, more = [], 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                blocks.append(block := message.get("body", b""))
                size, more = size + len(block), message.get("more_body", False)
                if size > limit:
                    raise await _too_large(receive, limit)
    except TimeoutError:
        raise Problem("body-timeout", f"the body did not come within {seconds:g} seconds") from None
    return b"".join(blocks)


async def _too_large(receive: Receive, limit: int) -> Problem:
    """Return the problem of a body that is too large; read on for a moment before.

    A client that still sends when the connection is closed would not see the answer.
    """
    left = READ_ON * limit
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_ON_SECONDS):
            while left > 0 and (message := await receive()).get("more_body", False):
                left -= len(message.get("body", b""))
    return Problem("too-large", f"the body has more than {limit:,} bytes", headers={"connection": "close"})


def parse(body: bytes) -> dict[str, Any]:
    """Parse a body as one JSON object.

    Raises Problem, with the key path of a key that stands twice, and with the line and column of anything else that
    is wrong: bytes that are not UTF-8, NaN and Infinity, a number of thousands of digits, deep nesting.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("malformed", f"the body is not UTF-8: byte {error.start}") from None
    try:
        value = _decoded(text, _DECODER)
    except _RepeatedError:
        path = _path_of_repeated(_decoded(text, _MARKING))
        raise invalid([(shortened(path), "the key stands twice in its object")]) from None
    if not isinstance(value, dict):
        raise Problem("malformed", "the body is not a JSON object")
    return value


def _decoded(text: str, decoder: json.JSONDecoder) -> Any:
    """Decode JSON; raise Problem for anything else, and what the hooks of the decoder raise."""
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Problem("malformed", f"the body is not JSON: {error.msg}, {place}") from None
    except RecursionError:
        raise Problem("malformed", "the body is nested too deeply") from None
    except _ConstantError as error:
        raise Problem("malformed", f"the body is not JSON: {error} is not a number of JSON") from None
    except _RepeatedError:
        raise
    except ValueError:  # int() refuses thousands of digits, since that would take long
        raise Problem("malformed", "the body has a number of too many digits") from None


class _RepeatedError(ValueError):
    """The error for a key that stands twice in an object."""


class _ConstantError(ValueError):
    """The error for NaN, Infinity and -Infinity."""


class _Repeating(dict[str, Any]):
    """An object in which a key stands twice."""

    key: str


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RepeatedError
    return value


def _marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeating, seen = _Repeating(value), set[str]()
    for key, _ in pairs:
        if key in seen:
            repeating.key = key
            break
        seen.add(key)
    return repeating


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
_MARKING = json.JSONDecoder(object_pairs_hook=_marked_object)


def _path_of_repeated(body: Any) -> str:
    """Return the path of a key that stands twice, "" if none does."""
    stack = [(body, "")]  # a body may be nested more deeply than functions of Python may call each other
    while stack:
        value, path = stack.pop()
        if isinstance(value, _Repeating):
            return joined(path, value.key)
        if isinstance(value, dict):
            stack += [(child, joined(path, key)) for key, child in value.items()]
        elif isinstance(value, list):
            stack += [(child, f"{path}[{place}]") for place, child in enumerate(value)]
    return ""
