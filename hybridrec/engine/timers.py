"""The stopwatch that adds up the time that each stage of a run takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hybridrec.evaluation.report import SecondsReport

ASK = "ask"
"""The stage in which pipelines answer queries; reports divide its time into generating, scoring and re-ranking."""
OTHER = "other"
"""The stage of all time that belongs to no other stage."""


class Stopwatch:
    """A stopwatch for the thread of a run, which measures wall time by stage.

    Every moment belongs to exactly one stage, so that the seconds of all stages add up to the total.
    """

    def __init__(self, started: float | None = None) -> None:
        """Start the stopwatch now, or from an earlier reading of `time.perf_counter`."""
        self.started = self._since = time.perf_counter() if started is None else started
        self._stages = [OTHER]
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._answering: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the duration of the `with` block to a stage, without the time of blocks of other stages inside it."""
        self._turn()
        self._stages.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._stages.pop()

    def answered(self, seconds: Mapping[str, float]) -> None:
        """Add the seconds that threads spent in each stage of pipelines, summed over the threads.

        The report divides the wall time of `ASK` among these stages, in proportion to their seconds.
        """
        for stage, own in seconds.items():
            self._answering[stage] += own

    def report(self) -> SecondsReport:
        """Return the seconds by stage up to now.

        If all answers were in the store, so that no pipeline did anything, the time of `ASK` counts as `other`.
        """
        self._turn()
        seconds = dict(self._seconds)
        asked, in_threads = seconds.pop(ASK, 0.0), sum(self._answering.values())
        if in_threads:
            seconds |= {stage: asked * own / in_threads for stage, own in self._answering.items()}
        else:
            seconds[OTHER] = seconds.get(OTHER, 0.0) + asked
        return SecondsReport(**seconds, total=self._since - self.started)

    def _turn(self) -> None:
        """Add the time since the last call of `_turn` to the innermost stage."""
        now = time.perf_counter()
        self._seconds[self._stages[-1]] += now - self._since
        self._since = now
