"""The time that a run takes, stage by stage."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hybridrec.evaluation.report import SecondsReport
from hybridrec.inference.batch_runner import Clock


class Stopwatch:
    """Wall time by stage; `clock` adds up the stages of the pipelines, which run on several threads."""

    def __init__(self, clock: Clock) -> None:
        """Start the time at once."""
        self.clock = clock
        self.seconds: Counter[str] = Counter()
        self.started = time.perf_counter()

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started  # type: ignore[assignment]

    def report(self) -> SecondsReport:
        """Return the seconds up to now; the stages of the pipelines are summed over threads."""
        stages = dict.fromkeys(("generate", "score", "rerank"), 0.0)
        for (stage, _), seconds in self.clock.seconds.items():
            stages[stage] += seconds
        return SecondsReport(**stages, **self.seconds, total=time.perf_counter() - self.started)
