"""The stopwatch that adds up the time that each stage of a run takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hybridrec.evaluation.report import SecondsReport

ASK = "ask"
"""The stage in which pipelines answer queries: in reports it is divided among what they do."""
OTHER = "other"
"""The time outside of all stages."""


class Stopwatch:
    """A stopwatch for the thread of a run, with wall time by stage: every moment belongs to exactly one stage.

    So the seconds of all stages add up to the total.
    """

    def __init__(self, started: float | None = None) -> None:
        """Start the time at once, or at an earlier reading of `time.perf_counter`."""
        self.started = self._since = time.perf_counter() if started is None else started
        self._stages = [OTHER]
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._answering: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to a stage; a block inside it is not counted twice."""
        self._turn()
        self._stages.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._stages.pop()

    def answered(self, seconds: Mapping[str, float]) -> None:
        """Add what the stages of pipelines took, summed over threads: it divides the time of `ASK`."""
        for stage, own in seconds.items():
            self._answering[stage] += own

    def report(self) -> SecondsReport:
        """Return the seconds up to now. If no pipeline did anything, all answers were in the store: that is `other`."""
        self._turn()
        seconds = dict(self._seconds)
        asked, in_threads = seconds.pop(ASK, 0.0), sum(self._answering.values())
        if in_threads:
            seconds |= {stage: asked * own / in_threads for stage, own in self._answering.items()}
        else:
            seconds[OTHER] = seconds.get(OTHER, 0.0) + asked
        return SecondsReport(**seconds, total=self._since - self.started)

    def _turn(self) -> None:
        """Give the time since the last turn to the innermost stage."""
        now = time.perf_counter()
        self._seconds[self._stages[-1]] += now - self._since
        self._since = now
