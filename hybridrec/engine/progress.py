"""The progress of a fit: what a component reports while it learns, as a bounded series."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrec.evaluation.report import FitProgressReport

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class ProgressPoint:
    """A step of a fit: `step` of `of` are done; a number that is not finite is None."""

    step: int
    of: int
    numbers: Mapping[str, float | None]

    @classmethod
    def told(cls, step: int, of: int, numbers: Mapping[str, Any]) -> ProgressPoint:
        """Return a report of a component as plain values. Raises TypeError or ValueError for other values."""
        plain = {name: float(value) for name, value in numbers.items()}
        return cls(int(step), int(of), {name: x if math.isfinite(x) else None for name, x in plain.items()})


@dataclass(slots=True)
class ProgressSeries:
    """The points of a fit, at most `MOST_POINTS` of them: of more, every second is dropped, again and again.

    Which are kept depends on their number alone, so that equal fits have equal series; the last one is always kept.
    """

    _kept: list[ProgressPoint] = field(default_factory=list)
    _stride: int = 1
    _told: int = 0
    _last: ProgressPoint | None = None

    def add(self, point: ProgressPoint) -> None:
        """Add the next point."""
        if self._told % self._stride == 0:
            self._kept.append(point)
            if len(self._kept) >= MOST_POINTS:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._told += 1
        self._last = point

    @property
    def points(self) -> tuple[ProgressPoint, ...]:
        """The points that are kept, in order."""
        if self._last is None or self._last is self._kept[-1]:
            return tuple(self._kept)
        return (*self._kept, self._last)


def progress_report(points: Iterable[ProgressPoint]) -> FitProgressReport | None:
    """Return the series of a fit for the report; None if the component told nothing."""
    told = list(points)
    if not told:
        return None
    names = dict.fromkeys(name for point in told for name in point.numbers)
    return FitProgressReport(
        of=told[-1].of,
        steps=[point.step for point in told],
        numbers={name: [point.numbers.get(name) for point in told] for name in names},
    )
