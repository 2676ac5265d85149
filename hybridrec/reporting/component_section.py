"""Section of the page with the figures that components show of their fits: curves, tables and stripes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np

from hybridrec.evaluation.report import CurveReport, FigureReport, Report, StripesReport, TableReport
from hybridrec.reporting.figures import Plane, Scale
from hybridrec.reporting.tables import Cell, Table

LEVELS = 6
"""Number of strengths of a colour on each side of 0."""
_OUTLIERS = 98.0
"""Percentile of the absolute values; values beyond it have the strongest colours."""
_LONG_TABLE = 12
"""A table with more rows than this is folded at first."""
_DOTS = 60
"""A curve with more points than this is drawn as a line without dots."""


@dataclass(frozen=True, slots=True)
class ComponentFigures:
    """The figures of one component, by their kinds."""

    label: str
    curves: Sequence[DrawnCurve]
    stripes: Sequence[DrawnStripes]
    tables: Sequence[DrawnTable]

    @classmethod
    def of(cls, label: str, figures: Sequence[FigureReport]) -> Self:
        """Draw the figures of one component."""
        curves = [DrawnCurve.of(figure) for figure in figures if isinstance(figure, CurveReport)]
        return cls(
            label,
            [curve for curve in curves if curve is not None],
            [DrawnStripes.of(figure) for figure in figures if isinstance(figure, StripesReport)],
            [DrawnTable.of(figure) for figure in figures if isinstance(figure, TableReport)],
        )


@dataclass(frozen=True, slots=True)
class DrawnCurve(Plane):
    """A curve of a component on the page; `points` holds (x, y) of each point for which both numbers exist."""

    report: CurveReport
    points: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, report: CurveReport) -> Self | None:
        """Choose scales that contain all points of the curve; return None if no point has both numbers."""
        points = [(x, y) for x, y in report.points if x is not None and y is not None]
        if not points:
            return None
        across = Scale.over((x for x, _ in points), whole=all(x.is_integer() for x, _ in points))
        return cls(across, Scale.over(y for _, y in points), report, points)

    @property
    def dots(self) -> Sequence[tuple[float, float]]:
        """Points that are drawn as dots: all points, or none if there are so many that the line alone is clearer."""
        return self.points if len(self.points) <= _DOTS else ()

    @property
    def chosen(self) -> tuple[float, float] | None:
        """(x, y) of the point that the component chose; None if it chose none."""
        if self.report.chosen is None:
            return None
        x, y = self.report.points[self.report.chosen]
        return None if x is None or y is None else (x, y)

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        (x, y), (last_x, last_y) = self.points[0], self.points[-1]
        ends = f"{self.report.y} from {y:.4g} at {x:g} to {last_y:.4g} at {last_x:g} {self.report.x}"
        chosen = "" if self.chosen is None else f"; chosen: {self.chosen[0]:g}"
        return f"{self.report.title}: {ends}{chosen}"


class Shade(NamedTuple):
    """All stripes of one row that have the same colour.

    `side` says on which side of 0 the numbers lie (`above` or `below`), `opacity` (0 to 1) how far from it; `path` is
    an SVG path in which each dimension of the vector is one unit wide.
    """

    side: str
    opacity: float
    path: str


class StripedRow(NamedTuple):
    """A vector drawn as a row: its name, the text at its end, and its stripes."""

    name: str
    text: str
    shades: Sequence[Shade]


@dataclass(frozen=True, slots=True)
class DrawnStripes:
    """Vectors of `dimensions` numbers as rows of stripes, all on one scale of colours."""

    report: StripesReport
    dimensions: int
    rows: Sequence[StripedRow]

    @classmethod
    def of(cls, report: StripesReport) -> Self:
        """Group the stripes of each vector by colour, which is stronger the farther a number is from 0.

        Missing numbers are blank, like zeros.
        """
        vectors = np.nan_to_num(np.array(report.vectors, np.float64))
        strongest = np.percentile(np.abs(vectors), _OUTLIERS) or np.abs(vectors).max() or 1.0
        levels = np.clip(np.rint(vectors / strongest * LEVELS), -LEVELS, LEVELS).astype(int)
        texts = report.texts or [""] * len(report.names)
        rows = [StripedRow(*row) for row in zip(report.names, texts, map(_shades, levels.tolist()), strict=True)]
        return cls(report, vectors.shape[1], rows)


class DrawnTable(NamedTuple):
    """A table of a component on the page, with its note; a long table is folded at first."""

    table: Table
    note: str
    folded: bool

    @classmethod
    def of(cls, report: TableReport) -> Self:
        """Format the cells of a table of the report as text."""
        rows = [[_cell(cell) for cell in row] for row in report.rows]
        return cls(Table(report.title, report.headers, rows), report.note, len(rows) > _LONG_TABLE)


def component_figures(report: Report) -> list[ComponentFigures]:
    """Draw the figures of a report, for each component that shows figures."""
    return [ComponentFigures.of(label, figures) for label, figures in report.figures.items()]


def _shades(levels: Sequence[int]) -> list[Shade]:
    """Draw a row of stripes: one path for each level except 0, with one rectangle for neighbours of equal level.

    levels: for each dimension the strength of its colour, from -LEVELS to LEVELS
    """
    paths: dict[int, str] = {}
    place = 0
    for level, run in groupby(levels):
        width = len(list(run))
        if level:
            paths[level] = f"{paths.get(level, '')}M{place} 0h{width}v1h-{width}z"
        place += width
    return [
        Shade("above" if level > 0 else "below", abs(level) / LEVELS, path) for level, path in sorted(paths.items())
    ]


def _cell(cell: str | int | float | None) -> Cell:
    if cell is None or isinstance(cell, str):
        return Cell(cell or "")
    return Cell(f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}", cell)
