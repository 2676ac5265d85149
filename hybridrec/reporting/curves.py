"""Geometry of trade-off curves: one metric against another, a point for each value of an option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from hybridrec.evaluation.report import MetricReport, TradeoffReport
from hybridrec.reporting.figures import Estimate, Plane, Scale


class CurvePoint(NamedTuple):
    """A value of the option, measured in both metrics, which share its label."""

    x: Estimate
    y: Estimate


@dataclass(frozen=True, slots=True)
class Curve(Plane):
    """Points in the order of the option's values, `x_metric` to the right and `y_metric` upwards."""

    x_metric: str
    y_metric: str
    points: Sequence[CurvePoint]

    @classmethod
    def all_of(cls, tradeoff: TradeoffReport, metric: str) -> list[Self]:
        """Return the curves of the deciding metric against every other one that both have at least two points."""
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
        """The figure in words."""
        values = (f"at {p.x.label} {self.x_metric} {p.x.text}, {self.y_metric} {p.y.text}" for p in self.points)
        return f"{self.title}: " + "; ".join(values)


def _at(label: str, number: MetricReport | None) -> Estimate | None:
    return None if number is None or number.mean is None else Estimate(label, "blend", number.mean, number.ci95)
