"""Figures that components gave of their fits, as the report holds them."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from hybridrec.evaluation.report.base import Number, Section
from hybridrec.stages.figures import CurveFigure, Figure, TableFigure

DIGITS = 4
"""Significant digits of the numbers of vectors, which are there to be seen."""


class CurveReport(Section):
    """A curve through points."""

    kind: Literal["curve"] = "curve"
    title: str
    x: str
    """Name of the axis to the right."""
    y: str
    """Name of the axis upwards."""
    points: list[tuple[Number, Number]]
    """x and y of each, in the order of the curve."""
    chosen: int | None = None
    """Place of the point that the component chose."""
    note: str = ""


class TableReport(Section):
    """A table."""

    kind: Literal["table"] = "table"
    title: str
    headers: list[str]
    rows: list[list[str | int | float | None]]
    """A cell for each header; null for nothing."""
    note: str = ""


class StripesReport(Section):
    """Vectors below one another, drawn as coloured stripes."""

    kind: Literal["stripes"] = "stripes"
    title: str
    names: list[str]
    """By vector."""
    texts: list[str] = []
    """By vector: a text at its end, such as a similarity; empty if there are none."""
    vectors: list[list[Number]]
    """Four significant digits of each number."""
    note: str = ""


FigureReport: TypeAlias = Annotated[CurveReport | TableReport | StripesReport, Field(discriminator="kind")]


class MapLegend(Section):
    """The legend of a map of items."""

    colours: str
    """The meaning of the colours, in a few words: "clusters of cluster-draw"."""
    groups: list[str]
    """Name of each group of items, by its number in the map."""
    of: int
    """Number of items that have vectors; a map may hold fewer, those of the most queries."""
    space: str = ""
    """Digest of the vectors that were placed, so that the same need not be placed again."""
    figures: list[FigureReport] = []
    """Figures that stand below the map."""


def figure_report(figure: Figure) -> FigureReport:
    """Return the figure of a component as the report holds it."""
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
    """Return a cell as JSON can represent it: numbers of numpy as those of Python, NaN and infinities as None."""
    value = cell.item() if isinstance(cell, np.generic) else cell
    return None if isinstance(value, float) and not math.isfinite(value) else value  # type: ignore[return-value]
