"""The progress of a fit: the numbers that a component reports while it learns, as a series of bounded length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrec.evaluation.report import FitProgressReport

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class ProgressPoint:
    """A report of a component during its fit.

    step, of: the number of steps that are done, and of all steps
    numbers: numbers by name, such as a loss; None for a number that is not finite
    """

    step: int
    of: int
    numbers: Mapping[str, float | None]

    @classmethod
    def told(cls, step: int, of: int, numbers: Mapping[str, Any]) -> ProgressPoint:
        """Convert a report of a component to plain values; raises TypeError or ValueError if one is not a number."""
        plain = {name: float(value) for name, value in numbers.items()}
        return cls(int(step), int(of), {name: x if math.isfinite(x) else None for name, x in plain.items()})


@dataclass(slots=True)
class ProgressSeries:
    """The progress points of a fit, of which it keeps at most `MOST_POINTS`.

    Whenever there are too many, every second point is dropped, and from then on half as many new points are kept. The
    choice depends only on how many points were added, so that equal fits have equal series. The last point is always
    kept.
    """

    _kept: list[ProgressPoint] = field(default_factory=list)
    _stride: int = 1
    _told: int = 0
    _last: ProgressPoint | None = None

    def add(self, point: ProgressPoint) -> None:
        """Add the next point of the fit."""
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
    """Convert the points of a fit to the entry that the report has for them; None if the component reported nothing."""
    told = list(points)
    if not told:
        return None
    names = dict.fromkeys(name for point in told for name in point.numbers)
    return FitProgressReport(
        of=told[-1].of,
        steps=[point.step for point in told],
        numbers={name: [point.numbers.get(name) for point in told] for name in names},
    )
