"""Filters by what a query shows and by what it dislikes, which every pipeline has unless it says otherwise."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.plugin import Options
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.filter import Filter
from hybridrec.types import DAY, ITEMS, Target


class SeenOptions(Options):
    """Options of `seen`."""

    last: int | None = Field(None, ge=1)
    """Only the last so many items of the history are left out: those before may be recommended again."""
    days: float | None = Field(None, gt=0)
    """Only items of the last so many days before the query are left out, and those whose time, or that of the query, is
    unknown."""

    @property
    def everything(self) -> bool:
        """True if nothing that the query shows may be recommended."""
        return self.last is None and self.days is None


class SeenFilter(Filter):
    """Entities of the target that the query shows already are not recommended.

    Of items that is the history, of another kind the entities that the query has, which know neither order nor time.
    """

    name = "seen"
    Config = SeenOptions
    config: SeenOptions

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude the entities of the query."""
        if target != ITEMS or self.config.everything:
            return Exclude(queries.matrix(target))
        return Exclude(self._recent(queries).matrix(binary=True))

    def _recent(self, queries: QueryBatch) -> Ragged:
        """Return the histories without what may be recommended again."""
        history = queries.history if self.config.last is None else queries.history.last(self.config.last)
        if self.config.days is None or history.times is None or queries.times is None:
            return history
        before = np.repeat(queries.times - self.config.days * DAY, history.lengths)
        return history.where(~(history.times < before))  # NaN is not less


class DislikedFilter(Filter):
    """Items that the query dislikes are not recommended."""

    name = "disliked"

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude the disliked items."""
        if target != ITEMS or queries.disliked is None:
            return Exclude()
        return Exclude(queries.disliked.matrix(binary=True))


QUERY_FILTERS: tuple[type[Filter], ...] = (SeenFilter, DislikedFilter)
"""The filters that a pipeline has without listing them; serving knows them without a plugin."""
