"""Geometry of trade-off curves: one metric against another, with a point for each value of the varied option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from hybridrec.evaluation.report import MetricReport, TradeoffReport
from hybridrec.reporting.figures import Estimate, Plane, Scale


class CurvePoint(NamedTuple):
    """The means of both metrics at one value of the option; both estimates have this value as their label."""

    x: Estimate
    y: Estimate


@dataclass(frozen=True, slots=True)
class Curve(Plane):
    """A trade-off curve: `x_metric` to the right, `y_metric` upwards, points in the order of the option's values."""

    x_metric: str
    y_metric: str
    points: Sequence[CurvePoint]

    @classmethod
    def all_of(cls, tradeoff: TradeoffReport, metric: str) -> list[Self]:
        """Build a curve for each metric except `metric`, which is on the horizontal axis of every curve.

        A curve is left out if both metrics have a mean at fewer than two values of the option.
        """
        others = dict.fromkeys(name for point in tradeoff.points for name in point.metrics if name != metric)
        curves = []
        for other in others:
            pairs = [(f"{p.value:g}", p.metrics.get(metric), p.metrics.get(other)) for p in tradeoff.points]
            points = [CurvePoint(x, y) for x, y in ((_at(v, a), _at(v, b)) for v, a, b in pairs) if x and y]
            if len(points) > 1:
                across = Scale.over(end for point in points for end in point.x.ends)
                upwards = Scale.over(end for point in points for end in point.y.ends)
                curves.append(cls(across, upwards, metric, other, points))
        return curves

    @property
    def title(self) -> str:
        """The title of the figure."""
        return f"{self.y_metric} against {self.x_metric}"

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        values = (f"at {p.x.label} {self.x_metric} {p.x.text}, {self.y_metric} {p.y.text}" for p in self.points)
        return f"{self.title}: " + "; ".join(values)


def _at(label: str, number: MetricReport | None) -> Estimate | None:
    return None if number is None or number.mean is None else Estimate(label, "blend", number.mean, number.ci95)
