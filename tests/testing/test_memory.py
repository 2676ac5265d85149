"""Peaks of memory, and estimates that are too far from them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from hybridrec.testing.memory import SLACK, misjudged, peak_memory

MB = 1_000_000


def test_the_peak_is_what_a_call_adds_at_most():
    held = np.ones(10 * MB, np.uint8)

    def call():
        first = np.ones(30 * MB, np.uint8)
        del first
        return np.ones(20 * MB, np.uint8)

    assert 30 * MB <= peak_memory(call) <= 32 * MB
    assert peak_memory(lambda: None) < MB
    assert len(held) == 10 * MB


def test_one_who_traces_goes_on_tracing():
    tracemalloc.start()
    try:
        assert 5 * MB <= peak_memory(lambda: np.ones(5 * MB, np.uint8)) < 7 * MB
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    peak_memory(lambda: None)
    assert not tracemalloc.is_tracing()


def test_an_error_is_passed_on_and_ends_the_tracing():
    with pytest.raises(ZeroDivisionError):
        peak_memory(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize(("estimated", "used", "told"), [
    (0, SLACK, None),
    (0, SLACK + 1, "the budget would not hold it"),
    (100 * MB, 200 * MB + SLACK, None),
    (100 * MB, 201 * MB + SLACK, r"`fit` took 217 MB, and `memory` says 100 MB: the budget would not hold it"),
    (1_000 * MB, 100 * MB, None),
    (1_200 * MB, 100 * MB, r"`memory` says 1,200 MB: fits with room are refused"),
    (160 * MB, 0, None),
])  # fmt: skip
def test_an_estimate_may_be_half_or_ten_times_of_what_is_used(estimated, used, told):
    problem = misjudged(estimated, used)
    assert (problem is None) if told is None else told in problem
