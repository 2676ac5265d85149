"""Sections of the report on figures that components show of their fits: curves, tables, stripes; the map's legend."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from hybridrec.evaluation.report.base import Number, Section
from hybridrec.stages.figures import CurveFigure, Figure, TableFigure

DIGITS = 4
"""Significant digits of the numbers in vectors: enough for a picture."""


class CurveReport(Section):
    """A curve that a component returned as a figure of its fit."""

    kind: Literal["curve"] = "curve"
    title: str
    x: str
    """Name of the horizontal axis."""
    y: str
    """Name of the vertical axis."""
    points: list[tuple[Number, Number]]
    """(x, y) of each point, in the order of the curve."""
    chosen: int | None = None
    """Index in `points` of the point that the component chose, from 0; null if it chose none."""
    note: str = ""


class TableReport(Section):
    """A table of text and numbers that a component returned as a figure of its fit."""

    kind: Literal["table"] = "table"
    title: str
    headers: list[str]
    rows: list[list[str | int | float | None]]
    """Each row has a cell for each header; null is an empty cell."""
    note: str = ""


class StripesReport(Section):
    """Vectors that a component returned as a figure of its fit: rows of coloured stripes below one another."""

    kind: Literal["stripes"] = "stripes"
    title: str
    names: list[str]
    """The name of each vector."""
    texts: list[str] = []
    """A text at the end of each vector, such as a similarity; empty if there are none."""
    vectors: list[list[Number]]
    """The numbers of each vector, to four significant digits."""
    note: str = ""


FigureReport: TypeAlias = Annotated[CurveReport | TableReport | StripesReport, Field(discriminator="kind")]


class MapLegend(Section):
    """The legend of a map of items: the meaning of its colours, the names of its groups, and the figures below it."""

    colours: str
    """The meaning of the colours, in a few words: "clusters of cluster-draw"."""
    groups: list[str]
    """Name of each group of items, by its number in the map."""
    of: int
    """Number of items that have vectors. If there are too many for a map, it shows those that occur in the most
    queries."""
    space: str = ""
    """Digest of the vectors that the map places, so that a map of the same vectors need not be computed again."""
    figures: list[FigureReport] = []
    """Figures that stand below the map."""


def figure_report(figure: Figure) -> FigureReport:
    """Convert a figure that a component returned to its section of the report."""
    if isinstance(figure, CurveFigure):
        return CurveReport(
            title=figure.title,
            x=figure.x,
            y=figure.y,
            points=[(x, y) for x, y in figure.points],
            chosen=figure.chosen,
            note=figure.note,
        )
    if isinstance(figure, TableFigure):
        rows = [[_cell(cell) for cell in row] for row in figure.rows]
        return TableReport(title=figure.title, headers=list(figure.headers), rows=rows, note=figure.note)
    vectors = [[float(f"{value:.{DIGITS}g}") for value in row] for row in figure.vectors.tolist()]
    return StripesReport(
        title=figure.title, names=list(figure.names), texts=list(figure.texts), vectors=vectors, note=figure.note
    )


def _cell(cell: object) -> str | int | float | None:
    """Convert a cell to a value of JSON: numbers of numpy to numbers of Python, NaN and infinities to None."""
    value = cell.item() if isinstance(cell, np.generic) else cell
    return None if isinstance(value, float) and not math.isfinite(value) else value  # type: ignore[return-value]
