"""W3C trace context."""

from __future__ import annotations

import re

import pytest

from hybridrec_server.tracing import trace_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_trace_is_passed_on_with_a_span_of_its_own():
    trace = trace_of(f"00-{TRACE}-{SPAN}-01".encode())
    assert trace.trace == TRACE
    assert re.fullmatch(rf"00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-01", trace.header.decode())
    assert trace_of(f"cc-{TRACE}-{SPAN}-01-what-comes-later".encode()).trace == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}\n-{SPAN}-01",
    ],
)
def test_a_malformed_header_starts_a_new_trace(header):
    trace = trace_of(None if header is None else header.encode())
    assert trace.trace != TRACE
    assert re.fullmatch(rf"00-{trace.trace}-[0-9a-f]{{16}}-00", trace.header.decode())
    assert len(trace.trace) == 32
