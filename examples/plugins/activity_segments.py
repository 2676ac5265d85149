"""`recent-plays`: tells users who were busy lately from those who were not, so that each is measured by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import DAY, Dataset, Options, QueryBatch, Segmenter


class RecentPlaysOptions(Options):
    """Options of `recent-plays`."""

    days: float = Field(30.0, gt=0)
    """Days before the request that count as lately."""
    many: int = Field(5, ge=2)
    """Fewest interactions of a busy user in this time."""


class RecentPlays(Segmenter):
    """The number of interactions in the last days before the request: none, few, many; unknown without times."""

    name = "recent-plays"
    Config = RecentPlaysOptions
    config: RecentPlaysOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return the segment of each query, from its own history and time alone."""
        history = queries.history
        if queries.times is None or history.times is None:
            return np.full(len(queries), "unknown")
        ages = queries.times[history.rows] - history.times
        recent = (ages >= 0) & (ages <= self.config.days * DAY)
        counts = np.bincount(history.rows[recent], minlength=len(queries))
        names = np.select([counts >= self.config.many, counts > 0], ["many", "few"], "none")
        return np.where(np.isnan(queries.times), "unknown", names)
