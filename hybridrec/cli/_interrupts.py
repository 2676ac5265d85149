"""Signals that end a command: Ctrl-C, SIGTERM of supervisors and SIGHUP of closed terminals do so alike."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = threading.Event()
"""Set once a signal has told the command to end."""


def end_as_ctrl_c_does() -> None:
    """Make SIGTERM and SIGHUP end every command as Ctrl-C does, so that half-written files are removed."""
    INTERRUPTED.clear()
    if threading.current_thread() is threading.main_thread():
        for number in interrupts():
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, _interrupt)


def interrupts() -> list[int]:
    """Return the signals that end a command.

    Signals that the caller lets the command ignore are left out, as `nohup` does with SIGHUP.
    """
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt, and remember it: a library may swallow it, and fail in another way."""
    INTERRUPTED.set()
    raise KeyboardInterrupt
