"""Signals that end a command: all alike, unless the caller ignores one, and whatever a library makes of them."""

import signal

import pytest

from hybridrec import DataError
from hybridrec.cli._interrupts import interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_that_a_library_turns_into_its_own_error_is_an_interrupt(call, monkeypatch, number):
    def swallow(*_, **__):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise DataError("odd") from None

    monkeypatch.setattr("hybridrec.runs.leaderboard.leaderboard", swallow)
    status, _, err = call("runs")
    assert (status, err) == (130, "interrupted; what was fitted so far is in the store\n")
    assert call("--version")[0] == 0


def test_a_signal_that_the_caller_ignores_is_none_of_them():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert interrupts() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in interrupts()
