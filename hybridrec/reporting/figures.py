"""Geometry of the page's figures: positions of points, bars and ticks, which the template draws as SVG.

Lengths are units of the figure's own coordinate system, in which a line of text is 12 high and the figure `WIDTH`
wide, as a phone is; on wider screens it scales with its column. Vertical positions are measured from the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hybridrec.evaluation.statistics import TIE
from hybridrec.types import Doubles

WIDTH = 360.0
_MARGIN = 14.0
_ROW = 38.0
_BARS = 12
_BAR_HEIGHT = 120.0
_PLANE_TOP = 12.0
_PLANE_HEIGHT = 200.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale that maps values from `low` to `high` to the width of a figure.

    The ticks of a `whole` scale are whole numbers.
    """

    low: float
    high: float
    whole: bool = False

    @classmethod
    def over(cls, values: Iterable[float], *, whole: bool = False) -> Scale:
        """Build the smallest scale that contains all values, with a small margin."""
        ends = list(values)
        low, high = min(ends), max(ends)
        room = 0.04 * (high - low) or abs(high) / 10 or 1.0
        return cls(low - room, high + room, whole)

    def __call__(self, value: float) -> float:
        """Return the horizontal position of a value in a figure."""
        return _MARGIN + (WIDTH - 2 * _MARGIN) * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(position, text) of two to six round values on the scale; a narrow `whole` scale has fewer."""
        power = 10.0 ** math.floor(math.log10((self.high - self.low) / 5))
        step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if (self.high - self.low) / step <= 5)
        step = max(step, 1.0) if self.whole else step
        places = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return [(self(place * step), f"{place * step:.10g}") for place in places]


@dataclass(frozen=True, slots=True)
class Plane:
    """A figure with two axes: the scale `across` is horizontal, the scale `upwards` vertical."""

    across: Scale
    upwards: Scale

    def down(self, value: float) -> float:
        """Return the vertical position of a value of the scale `upwards`, measured from the top."""
        return _PLANE_TOP + _PLANE_HEIGHT * (1 - self.upwards(value) / WIDTH)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(vertical position, text) of each round value on the scale `upwards`."""
        return [(self.down(float(text)), text) for _, text in self.upwards.ticks]

    @property
    def bottom(self) -> float:
        """The vertical position of the horizontal axis."""
        return _PLANE_TOP + _PLANE_HEIGHT


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its label and, if it has one, its interval.

    `kind` (`blend`, `control` or `single`) selects the colour in which it is drawn.
    """

    label: str
    kind: str
    mean: float
    ci95: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The mean as text, with half the width of its interval: `0.1234 ± 0.0056`."""
        half = "" if self.ci95 is None else f" ± {(self.ci95[1] - self.ci95[0]) / 2:.4f}"
        return f"{self.mean:.4f}{half}"

    @property
    def ends(self) -> tuple[float, ...]:
        """All values that the scale must contain: the mean and the bounds of its interval."""
        return (self.mean, *(self.ci95 or ()))


@dataclass(frozen=True, slots=True)
class Intervals:
    """A figure of estimates with their intervals, one below the other on one scale."""

    title: str
    rows: Sequence[Estimate]
    scale: Scale

    @classmethod
    def of(cls, title: str, rows: Sequence[Estimate], scale: Scale | None = None) -> Intervals:
        """Build a figure of these rows, by default on a scale that fits them; several figures may share a `scale`."""
        return cls(title, rows, scale or Scale.over(end for row in rows for end in row.ends))

    @property
    def places(self) -> list[tuple[Estimate, float]]:
        """(row, vertical position of its middle) for each row."""
        return [(row, _ROW * place + 25) for place, row in enumerate(self.rows)]

    @property
    def bottom(self) -> float:
        """The vertical position of the axis."""
        return _ROW * len(self.rows) + 2

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        return f"{self.title}: " + "; ".join(f"{row.label} {row.text}" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram over users of the difference between two arms; users without a difference are a bar in the middle."""

    title: str
    scale: Scale
    edges: Doubles
    counts: Sequence[int]
    ties: int

    @classmethod
    def of(cls, title: str, differences: Doubles) -> Histogram:
        """Build a histogram of differences, one per user: float64 [U], at least one.

        The bars have equal widths, and as many lie below 0 as above.
        """
        reach = max(float(np.abs(differences).max()), TIE)
        edges = np.linspace(-reach, reach, 2 * _BARS + 1)
        tied = np.abs(differences) <= TIE
        counts, _ = np.histogram(differences[~tied], edges)
        return cls(title, Scale.over((-reach, reach)), edges, counts.tolist(), int(tied.sum()))

    @property
    def wins(self) -> int:
        """Number of users with a gain, to the right of 0."""
        return sum(self.counts[_BARS:])

    @property
    def losses(self) -> int:
        """Number of users with a loss, to the left of 0."""
        return sum(self.counts[:_BARS])

    @property
    def bars(self) -> list[tuple[float, float, float, str, str]]:
        """(x, width, height, kind, tooltip) of each bar; its kind is `loss`, `tie` or `win`."""
        tallest = max(*self.counts, self.ties, 1)
        bars = []
        for count, low, high in zip(self.counts, self.edges, self.edges[1:], strict=False):
            x, kind = self.scale(low), "loss" if high <= TIE else "win"
            text = f"{count} users between {low:+.3f} and {high:+.3f}"
            bars.append((x + 0.5, self.scale(high) - x - 1, _BAR_HEIGHT * count / tallest, kind, text))
        if self.ties:
            bars.append((self.scale(0) - 2, 4.0, _BAR_HEIGHT * self.ties / tallest, "tie", f"{self.ties} ties"))
        return bars

    @property
    def bottom(self) -> float:
        """The vertical position of the axis."""
        return _BAR_HEIGHT + 22

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        return f"{self.title}: {self.wins} users gain, {self.ties} are equal, {self.losses} lose"
