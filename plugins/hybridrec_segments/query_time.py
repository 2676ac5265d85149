"""`time`: segments of queries by their time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hybridrec import DAY, Dataset, Doubles, Options, QueryBatch, Segmenter
from hybridrec_segments.ranges import UNKNOWN

WEEKDAYS = ("1 Monday", "2 Tuesday", "3 Wednesday", "4 Thursday", "5 Friday", "6 Saturday", "7 Sunday")
"""Names of weekdays, numbered so that tables sort them in order."""
_HOUR = 3_600.0
_FIRST_WEEKDAY = 3
"""Number of the weekday of 1 January 1970, a Thursday; Monday is 0."""


class QueryTimeOptions(Options):
    """Options of `time`: the part of the time that is the segment, and the zone of local time."""

    by: Literal["year", "month", "weekday", "hour"] = "month"
    """`year` (2016), `month` (2016-05), `weekday` (1 Monday) or `hour` of the day (09 h)."""
    utc_offset: float = Field(0.0, ge=-24, le=24)
    """Number of hours by which local time is ahead of UTC; the times of the data are in UTC."""


class QueryTime(Segmenter):
    """Time of the query: its year, month, weekday or hour; `unknown` for a query without a time."""

    name = "time"
    Config = QueryTimeOptions
    config: QueryTimeOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q]: the period of each query's time, or "unknown"."""
        if queries.times is None:
            return np.full(len(queries), UNKNOWN)
        local = queries.times + self.config.utc_offset * _HOUR
        is_timed = ~np.isnan(local)
        distinct, place = np.unique(self._periods(local[is_timed]), return_inverse=True)
        names = np.array([UNKNOWN, *(self._name(int(period)) for period in distinct)], np.str_)
        chosen = np.zeros(len(queries), np.int64)
        chosen[is_timed] = place + 1
        return names[chosen]

    def _periods(self, seconds: Doubles) -> NDArray[np.int64]:
        """Return the number of each time's period: years or months since 1970, weekdays from Monday, or hours."""
        if self.config.by == "weekday":
            return (np.floor(seconds / DAY).astype(np.int64) + _FIRST_WEEKDAY) % 7
        if self.config.by == "hour":
            return np.floor(seconds % DAY / _HOUR).astype(np.int64)
        unit = "M" if self.config.by == "month" else "Y"
        return np.floor(seconds).astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(np.int64)

    def _name(self, period: int) -> str:
        if self.config.by == "weekday":
            return WEEKDAYS[period]
        if self.config.by == "hour":
            return f"{period:02} h"
        return str(np.datetime64(period, "M" if self.config.by == "month" else "Y"))
