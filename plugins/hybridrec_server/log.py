"""Structured log lines on standard error, written by a thread so that no reader of them stops the server."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import IO, Any, Literal, TypeAlias

import orjson

LogForm: TypeAlias = Literal["json", "text", "off"]
_LONGEST = 10_000
"""Number of lines that wait at most: beyond it lines are lost, and their number is logged."""
_PAUSE = 0.05
"""Seconds between two looks at the lines that wait; a signal to the thread for each would cost more than the line."""


class Log:
    """A log of events, each a name and values.

    Values never hold what persons sent: callers log names of endpoints, statuses, counts and trace ids.
    """

    def __init__(self, form: LogForm, stream: IO[str] | None = None) -> None:
        """Start the thread that writes to `stream`, by default standard error."""
        self._form = form
        self._stream = stream or sys.stderr
        self._lines: deque[tuple[float, str, str, dict[str, Any]]] = deque()
        self._lost = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        if form != "off":
            self._thread.start()

    def info(self, event: str, **values: Any) -> None:
        """Log an event; values that are None are left out."""
        self._take("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Log an event that an operator should look at."""
        self._take("warning", event, values)

    def error(self, event: str, **values: Any) -> None:
        """Log a mistake of the server."""
        self._take("error", event, values)

    def close(self) -> None:
        """Write the lines that wait, for at most a second."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _take(self, level: str, event: str, values: dict[str, Any]) -> None:
        if self._form == "off":
            return
        if len(self._lines) >= _LONGEST:
            self._lost += 1
            return
        self._lines.append((time.time(), level, event, values))

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(_PAUSE)
            lines = []
            while self._lines:
                lines.append(self._line(*self._lines.popleft()))
            if self._lost:
                lost, self._lost = self._lost, 0
                lines.append(self._line(time.time(), "warning", "log_lines_lost", {"lines": lost}))
            if lines:
                try:
                    self._stream.write("".join(lines))
                    self._stream.flush()
                except (OSError, ValueError):  # nobody reads it, or the disk is full: serving goes on
                    self._lost += len(lines)

    def _line(self, seconds: float, level: str, event: str, values: dict[str, Any]) -> str:
        moment = datetime.fromtimestamp(seconds, UTC)
        stated = {name: value for name, value in values.items() if value is not None}
        if self._form == "json":
            record = {"time": moment.isoformat(timespec="milliseconds"), "level": level, "event": event, **stated}
            return orjson.dumps(record, default=str).decode() + "\n"
        words = " ".join(f"{name}={_word(value)}" for name, value in stated.items())
        return f"{moment:%H:%M:%S} {level:<7} {event} {words}".rstrip() + "\n"


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if text.isprintable() and " " not in text else orjson.dumps(text).decode()


class LogHandler(logging.Handler):
    """A handler of Python's logging that writes records of libraries as events of a log."""

    def __init__(self, log: Log) -> None:
        """Take the log; records below WARNING are passed over."""
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record, with its traceback if it has one."""
        trace = None if record.exc_info is None else logging.Formatter().formatException(record.exc_info)
        self._log._take(record.levelname.lower(), record.name, {"message": record.getMessage(), "traceback": trace})
