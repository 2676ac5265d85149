"""The outcome of a part of the harness, and the guard around each of its attempts."""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from hybridrec.errors import HybridrecError

Result = TypeVar("Result")
SECONDS = 10.0
"""The most CPU seconds of an attempt; what takes longer counts as a hang."""
LONGEST = 20_000
"""The most characters of a message."""
SHOWN = 300
"""The most characters of a loss that are kept."""


class Hang(BaseException):
    """The signal that an attempt has taken more than `SECONDS`; no `except Exception` of the program catches it."""


class Loss(Exception):  # noqa: N818
    """A promise that was not kept, found by a part of the harness itself."""


@dataclass
class Outcome:
    """The attempts of a part, and those that did not survive.

    tried: the number of attempts
    losses: a line for each attempt that broke a promise, with what repeats it
    counts: other figures, by name
    """

    tried: int = 0
    losses: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def survived(self) -> int:
        """The number of attempts that kept all promises."""
        return self.tried - len(self.losses)

    def lose(self, attempt: str, reason: str) -> None:
        """Record a loss, cut to `SHOWN` characters."""
        self.losses.append(f"{attempt}: {reason}"[:SHOWN])

    def add(self, other: Outcome) -> None:
        """Add the figures of another outcome of the same part."""
        self.tried += other.tried
        self.losses += other.losses
        self.counts += other.counts

    def attempt(
        self,
        name: str,
        call: Callable[[], Result],
        *,
        allowed: tuple[type[BaseException], ...] = (HybridrecError,),
        seconds: float = SECONDS,
    ) -> Result | None:
        """Carry out an attempt, count it, and return its result; None if it was refused, or lost.

        `allowed` are the errors that count as a refusal, which is no loss unless the message is longer than `LONGEST`.
        """
        self.tried += 1
        lost = len(self.losses)
        with quiet(lambda: len(self.losses) == lost):
            return self._outcome(name, call, allowed, seconds)

    def _outcome(
        self, name: str, call: Callable[[], Result], allowed: tuple[type[BaseException], ...], seconds: float
    ) -> Result | None:
        try:
            with limited(seconds):
                result = call()
        except allowed as error:
            self.counts["refused"] += 1
            if len(str(error)) > LONGEST:
                self.lose(name, f"a message of {len(str(error)):,} characters")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.lose(name, place_of(error))
        else:
            self.counts["accepted"] += 1
            return result
        return None


@contextmanager
def quiet(survived: Callable[[], bool]) -> Iterator[None]:
    """Hold back what is written to the descriptor of standard error in the `with` block, and drop panics of Polars.

    Polars prints a panic before anybody can make an error of it. The panic is no news if the attempt survived all the
    same; else all is printed.
    """
    with TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            content = file.read()
            if content and not (survived() and b"panicked at" in content):
                os.write(2, content)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Hang` in the `with` block once it has used so many CPU seconds; others' load does not count."""

    def end(*_: object) -> None:
        raise Hang(f"more than {seconds:g} s of CPU")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def place_of(error: BaseException) -> str:
    """Return the type and message of an error, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "hybridrec" in Path(frame.filename).parts or "plugins" in frame.filename]
    frame = (own or frames)[-1] if frames else None
    where = "" if frame is None else f" at {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
    return f"{type(error).__name__}{where}: {str(error)[:120]}"


def peak_memory() -> int:
    """Return the most bytes that this process, or one of its children that have ended, has held in memory."""
    return max(resource.getrusage(each).ru_maxrss for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024
