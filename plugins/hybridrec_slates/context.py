"""Segmenter `context`: segments of queries by a column of the request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import DataError, Dataset, Options, QueryBatch, Segmenter, did_you_mean

UNKNOWN = "unknown"


class ContextOptions(Options):
    """Options of `context`: the column of the request that is the segment."""

    column: str = Field(examples=["device"])
    """Column of the request whose values are the segments."""


class ContextSegmenter(Segmenter):
    """Segmenter by a column of the request (device, shop, ...): each value is a segment, a missing one is `unknown`."""

    name = "context"
    Config = ContextOptions
    config: ContextOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q]: the value of each query; raises DataError if the requests do not have the column."""
        name = self.config.column
        columns = {} if queries.context is None else queries.context.columns
        if name not in columns:
            raise DataError(f"segmenter 'context': requests have no column {name!r}; {did_you_mean(name, columns)}")
        column = columns[name]
        if column.type == "category":
            labels = np.array([*column.categories, UNKNOWN])
            return labels[column.single()].astype(str)  # -1, unknown, is the last one
        assert queries.context is not None
        numbers = queries.context.numbers(name)
        distinct, places = np.unique(numbers, return_inverse=True)
        labels = np.array([UNKNOWN if np.isnan(value) else f"{value:g}" for value in distinct])
        return labels[places].astype(str)
