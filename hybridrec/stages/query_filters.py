"""Filters by the history and the dislikes of a query, which every pipeline has unless its config says otherwise."""

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
    """The part of the history whose items are not recommended again; by default all of it."""

    last: int | None = Field(None, ge=1)
    """Number of the latest items of the history that are left out; the items before may be recommended again."""
    days: float | None = Field(None, gt=0)
    """Number of days before the query whose items are left out; earlier items may be recommended again. Items are also
    left out if their time or the time of the query is unknown."""

    @property
    def everything(self) -> bool:
        """True if none of the history may be recommended again."""
        return self.last is None and self.days is None


class SeenFilter(Filter):
    """Entities of the target that the query has already are not recommended.

    For the target items these are the items of the history. For another kind they are the entities that the query has;
    since these have neither order nor time, the options make no difference to them.
    """

    name = "seen"
    Config = SeenOptions
    config: SeenOptions

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude the entities of the target that the query has; for items, only those within `last` and `days`."""
        if target != ITEMS or self.config.everything:
            return Exclude(queries.matrix(target))
        return Exclude(self._recent(queries).matrix(binary=True))

    def _recent(self, queries: QueryBatch) -> Ragged:
        """Return the histories without the items that may be recommended again."""
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
"""The filters that a pipeline has without listing them; serving has them without loading a plugin."""
