"""`recent-plays`: segments of queries by how busy the user was lately, so that each is measured by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import DAY, Dataset, Options, QueryBatch, Segmenter


class RecentPlaysOptions(Options):
    """Options of `recent-plays`."""

    days: float = Field(30.0, gt=0)
    """Number of days before the request in which interactions count."""
    many: int = Field(5, ge=2)
    """Smallest number of these interactions that makes the segment "many"."""


class RecentPlays(Segmenter):
    """Segmenter by the number of interactions in the days before the request: none, few, many, or unknown."""

    name = "recent-plays"
    Config = RecentPlaysOptions
    config: RecentPlaysOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q]: the segment of each query, from its own history and time alone."""
        history = queries.history
        if queries.times is None or history.times is None:
            return np.full(len(queries), "unknown")
        ages = queries.times[history.rows] - history.times
        recent = (ages >= 0) & (ages <= self.config.days * DAY)
        counts = np.bincount(history.rows[recent], minlength=len(queries))
        names = np.select([counts >= self.config.many, counts > 0], ["many", "few"], "none")
        return np.where(np.isnan(queries.times), "unknown", names)
