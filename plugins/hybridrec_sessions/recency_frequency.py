"""`recency-frequency`: columns for a learned ranker on the recency and frequency of items before the request."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from hybridrec import (
    DAY,
    ITEMS,
    PADDING,
    DataError,
    Dataset,
    Doubles,
    Field,
    Floats,
    Ints,
    Longs,
    Options,
    QueryBatch,
    Scorer,
    State,
    Target,
)


class RecencyFrequencyOptions(Options):
    """Options of `recency-frequency`: the windows of days in which interactions are counted."""

    windows: tuple[Annotated[float, pydantic.Field(gt=0)], ...] = pydantic.Field((7.0, 30.0, 365.0), examples=[[7, 30]])
    """Numbers of days before the request; each makes a column `frequency-DAYS`."""


class RecencyFrequency(Scorer):
    """Columns for a learned ranker: the recency and the frequency of each candidate before the time of the request.

    - `recency`: -log(1 + days) since the last interaction of any user with the item.
    - `frequency-7`, ...: the share of the item in all interactions of that many days before the request.
    - `own-recency`: -log(1 + days) since the last interaction with the item in the query's own history.
    - `own-frequency`: the number of interactions with the item in the query's own history.

    Recency and frequency are two of the three variables of RFM in direct marketing (Hughes 1994), here of an item.
    Interactions of the training part at the time of the request or after it do not count. So no more is used than is
    known when serving, also with random splits, whose training part has later interactions. For a request without a
    time all columns but `own-frequency` are NaN; so is the recency of an item that nobody had before.
    """

    name = "recency-frequency"
    targets = ("items",)
    folds_in = True
    Config = RecencyFrequencyOptions
    config: RecencyFrequencyOptions

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        frequencies = (f"frequency-{days:g}" for days in self.config.windows)
        self.columns = ("recency", *frequencies, "own-recency", "own-frequency")

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Sort the times of each item's interactions and return self; raises DataError if no interaction has a time."""
        history = data.interactions
        if history.times is None or np.isnan(history.times).all():
            raise DataError("recency-frequency needs the times of interactions, but this data has none")
        timed = ~np.isnan(history.times)
        ids, times = history.ids[timed], history.times[timed]
        order = np.lexsort((times, ids))
        return self._become(ids[order], times[order], len(data.items))

    def _become(self, ids: Ints, times: Doubles, items: int) -> Self:
        """Take the interactions, sorted by item and time, and prepare the search among them; return self."""
        self._ids, self._times = ids, times
        self._moments = np.sort(times)
        self._distinct = np.unique(times)
        self._keys = self._key(ids, np.searchsorted(self._distinct, times))
        self._starts = np.searchsorted(ids, np.arange(items))
        return self

    def _key(self, ids: NDArray[np.integer], places: NDArray[np.integer]) -> Longs:
        """Return int64 keys that are ordered by item, then by place among the distinct times."""
        return ids.astype(np.int64) * (len(self._distinct) + 1) + places

    def reads(self, name: Field) -> bool:
        """Return True for the field `items`: the scorer counts a query's items, though it also works without them."""
        return name == ITEMS

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the sorted interactions, and of the arrays by which they are sorted."""
        return 60 * len(data.interactions.ids)

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the columns in their order: float32 [C, Q, K]."""
        asked = np.full(len(queries), np.nan) if queries.times is None else queries.times
        before = self._before(ids, asked)
        last = np.where(before > 0, self._times[np.maximum(self._starts[ids] + before - 1, 0)], np.nan)
        columns = [_recency(asked, last)]
        for days in self.config.windows:
            since = asked - days * DAY
            alike = before - self._before(ids, since)
            everything = np.searchsorted(self._moments, asked) - np.searchsorted(self._moments, since)
            columns.append(alike / np.where(everything > 0, everything, np.nan)[:, None])
        times, counts = _own(queries, ids)
        columns += [_recency(asked, times), counts]
        values = np.array(columns, np.float32)
        values[1:-2, np.isnan(asked)] = np.nan
        values[:, ids == PADDING] = np.nan
        return values

    def _before(self, ids: Ints, times: Doubles) -> Longs:
        """Count the interactions with each candidate `ids`, [Q, K], before its query's `times`, [Q]: int64 [Q, K]."""
        places = np.searchsorted(self._distinct, times)[:, None]
        return np.searchsorted(self._keys, self._key(ids, places)) - self._starts[ids]

    def state(self) -> State:
        """Return the items and times of all sorted interactions."""
        return {"ids": self._ids, "times": self._times, "items": np.array(len(self._starts))}

    def restore(self, state: State) -> Self:
        """Take the sorted interactions from `state`; return self."""
        return self._become(state["ids"], state["times"], int(state["items"]))


def _recency(asked: Doubles, times: Doubles) -> Doubles:
    """Return -log(1 + days) between `times`, [Q, K], and the requests' times, [Q]: float64, NaN where unknown."""
    return -np.log1p(np.maximum(asked[:, None] - times, 0) / DAY)


def _own(queries: QueryBatch, ids: Ints) -> tuple[Doubles, Doubles]:
    """Return (times, counts) of the interactions with each candidate in the query's history, float64 [Q, K] each.

    A time is that of the last interaction; it is NaN if there is none, or if its time is unknown.
    """
    history = queries.history
    pairs = history.rows.astype(np.int64) * history.width + history.ids
    times = np.full(len(pairs), np.nan) if history.times is None else history.times
    times = np.where(np.isnan(times), -np.inf, times)
    order = np.lexsort((times, pairs))
    distinct, first, counts = np.unique(pairs[order], return_index=True, return_counts=True)
    last, counts = np.append(times[order][first + counts - 1], -np.inf), np.append(counts, 0)
    asked = np.arange(len(queries))[:, None] * history.width + ids
    places = np.searchsorted(distinct, asked)
    places[np.append(distinct, -1)[places] != asked] = len(distinct)
    times = np.where(np.isinf(last[places]), np.nan, last[places])
    return times, counts[places].astype(np.float64)
