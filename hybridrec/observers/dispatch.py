"""The dispatch of events to observers; an observer that fails stops neither the run nor the other observers."""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from hybridrec.observers.base import Event, Observer, RunFailed
from hybridrec.secret import redacted
from hybridrec.tracing import origin, traced, tracing


class Observers:
    """The observers of one run; `failures` has a sentence for each failure of an observer."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        """Take the observers of one run, search or recommender, and give it a fresh id, `run`."""
        self.run = uuid4().hex
        self.observers = tuple(observers)
        self.failures: list[str] = []
        self._silenced: set[tuple[int, type[Event]]] = set()
        self._lock = threading.Lock()

    def tell(self, kind: type[Event], **fields: Any) -> None:
        """Make an event of this class with these fields, and tell it to every observer.

        An observer that has failed at an earlier event of the same class is left out.
        """
        if not self.observers:
            return
        event = kind(run=self.run, **fields)
        with self._lock:
            for place, observer in enumerate(self.observers):
                if (place, kind) not in self._silenced:
                    self._tell(place, observer, event)

    @contextmanager
    def told_of_failure(self) -> Iterator[None]:
        """Tell the observers of a `RunFailed` if the `with` block ends with an error or is interrupted."""
        try:
            yield
        except BaseException as error:
            self.tell(RunFailed, error=redacted(f"{type(error).__name__}: {error}"))
            raise

    def _tell(self, place: int, observer: Observer, event: Event) -> None:
        cls, kind = type(observer), type(event)
        try:
            with traced(f"{kind.__name__} to {cls.name} {cls.version}"):
                observer.observe(event)
        except Exception as error:  # an observer must not end the run
            self._silenced.add((place, kind))
            failure = (
                f"the observer '{cls.name}', {origin(cls.__module__)}, failed at {kind.__name__} and was not told "
                f"it again: {type(error).__name__}: {error}"
            )
            self.failures.append(redacted(failure))
            if tracing():
                print(redacted(traceback.format_exc()), file=sys.stderr, end="")

    def warn(self) -> None:
        """Warn of each of `failures` by a RuntimeWarning, then clear them.

        It is for callers that write no report into which the failures could go: searches and serving.
        """
        for failure in self.failures:
            warnings.warn(failure, RuntimeWarning, stacklevel=3)
        self.failures.clear()
