"""W3C trace context: the trace id of a request is taken from its header `traceparent`, or made."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")
_VERSION_0 = 55
"""Number of characters of a header of version 00, which has nothing behind the flags."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The place of a request in a trace.

    trace: trace id, 32 hexadecimal digits
    header: the value of `traceparent` that is passed on, with the span of this server
    """

    trace: str
    header: bytes


def trace_of(header: bytes | None) -> Trace:
    """Return the trace of a request; a header that is missing or malformed starts a new trace."""
    drawn = os.urandom(24).hex()
    span, trace = drawn[:16], drawn[16:]
    match = None if header is None else _TRACEPARENT.fullmatch(header.strip())
    if match is not None and (not match[0].startswith(b"00") or len(match[0]) == _VERSION_0):
        trace, flags = match[1].decode(), match[2].decode()
        return Trace(trace, f"00-{trace}-{span}-{flags}".encode())
    return Trace(trace, f"00-{trace}-{span}-00".encode())
