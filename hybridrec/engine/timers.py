"""The stopwatch that adds up the time that each stage of a run takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hybridrec.evaluation.report import SecondsReport
from hybridrec.inference.batch_runner import Clock


class Stopwatch:
    """A stopwatch with wall time by stage of a run.

    `clock` adds up the time of the pipelines' stages, which run on several threads.
    """

    def __init__(self, clock: Clock) -> None:
        """Start measuring the total time."""
        self.clock = clock
        self.seconds: Counter[str] = Counter()
        self.started = time.perf_counter()

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the duration of the `with` block to a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started  # type: ignore[assignment]

    def report(self) -> SecondsReport:
        """Return the seconds by stage up to now; the stages of the pipelines are summed over threads."""
        stages = dict.fromkeys(("generate", "score", "rerank"), 0.0)
        for (stage, _), seconds in self.clock.seconds.items():
            stages[stage] += seconds
        return SecondsReport(**stages, **self.seconds, total=time.perf_counter() - self.started)
