"""`activity`: segments of queries by the length of the history."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from hybridrec import Dataset, Options, QueryBatch, Segmenter
from hybridrec_segments.ranges import ascending


class ActivityOptions(Options):
    """Options of `activity`: the lengths of the history at which segments begin."""

    bounds: Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(ascending)] = Field([5, 20], min_length=1)
    """The lengths at which segments begin: [5, 20] makes "0-4", "5-19" and "20 or more"."""


class Activity(Segmenter):
    """Activity of the user: the number of interactions in the history that the query shows, repeats included."""

    name = "activity"
    Config = ActivityOptions
    config: ActivityOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q]: the range of the length of each history, such as "5-19"."""
        starts = [0, *self.config.bounds]
        names = [str(start) if start == end - 1 else f"{start}-{end - 1}" for start, end in pairwise(starts)]
        places = np.searchsorted(self.config.bounds, queries.history.lengths, side="right")
        return np.array([*names, f"{starts[-1]} or more"], np.str_)[places]
