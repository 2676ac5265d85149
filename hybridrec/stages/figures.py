"""Figures that a fitted component returns for the report, as plain values, which the page of a run draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np

from hybridrec.data.entities import Entities
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Floats

NEIGHBOURS = 5
"""The number of neighbours whose vectors are shown below the vector of an entity."""


@dataclass(frozen=True, slots=True)
class CurveFigure:
    """A curve through points, such as the error by number of clusters.

    title: a few words
    x, y: names of the two axes
    points: the pairs (x, y) in the order of the curve
    chosen: index of the point that the component chose, which the figure marks; None to mark no point
    note: sentences below the figure
    """

    title: str
    x: str
    y: str
    points: Sequence[tuple[float, float]]
    chosen: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TableFigure:
    """A table; a cell is a text, a number, or None for nothing.

    title: a few words
    headers: name of each column
    rows: the rows, each with a cell for each column
    note: sentences below the table
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class StripesFigure:
    """Vectors below one another, each as a row of coloured stripes, one for each dimension.

    title: a few words
    names: name of each row
    vectors: float32 [rows, D]
    texts: the text at the end of each row, such as a similarity; an empty sequence for no texts
    note: sentences below the figure
    """

    title: str
    names: Sequence[str]
    vectors: Floats
    texts: Sequence[str] = ()
    note: str = ""

    @classmethod
    def of_neighbours(cls, entities: Entities, vectors: Floats, code: int, n: int = NEIGHBOURS) -> Self:
        """Return a figure of an entity's vector, above the vectors of the n entities that are nearest by cosine.

        `vectors`, float32 [N, D], are the vectors of all `entities`; `code` is the code of the entity. The figure has
        the vectors scaled to length 1, as the cosine compares directions.
        """
        cosines = kernels.cosines(vectors, vectors[code])[None]
        cosines[0, code] = np.nan
        ids, values = (row[0] for row in kernels.top_k(cosines, min(n, len(vectors))))
        near = ids != PADDING
        codes = np.concatenate([[code], ids[near]])
        names = entities.names(codes)
        texts = ["", *(f"cosine {value:.2f}" for value in values[near].tolist())]
        shown = vectors[codes] / np.linalg.norm(vectors[codes], axis=1, keepdims=True)
        return cls(f"{names[0]} and the nearest {len(names) - 1}", names, shown.astype(np.float32), texts)


Figure: TypeAlias = CurveFigure | TableFigure | StripesFigure
"""A figure for the report: a curve, a table or stripes."""

MOST_POINTS = 1_000
"""Largest number of points of a curve."""
MOST_ROWS = 1_000
"""Largest number of rows of a table."""
MOST_COLUMNS = 20
"""Largest number of columns of a table."""
MOST_VECTORS = 50
"""Largest number of vectors of a figure with stripes."""
MOST_STRIPES = 2_048
"""Largest number of dimensions of a vector with stripes."""
