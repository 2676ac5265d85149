"""Splitter `temporal`: interactions from a point in time on are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import fold_of
from hybridrec.errors import DataError
from hybridrec.plugin import Options
from hybridrec.types import Doubles


class TemporalOptions(Options):
    """The time from which interactions are hidden, and the users who become queries."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of the interactions, the latest ones, that is hidden. Not used with `cut`."""
    cut: datetime | None = None
    """Hide everything from this time on instead: a date or time in ISO 8601 (2020-01-31, 2020-01-31T12:00:00),
    UTC if it has no offset."""
    seen: Literal["exclude", "allow"] = "exclude"
    """`allow` asks for items that the user had before the cut as well: what is bought, played or read again. The
    pipelines then need `seen: allow`, too."""
    min_history: int = Field(0, ge=0)
    """Distinct items before the cut that a user needs to become a query; 0 includes new users."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the training interactions, the latest ones, that is hidden for the queries on which blends learn."""


class Temporal(Splitter):
    """Learn from the past and ask for the future: everything from a point in time on (the cut) is hidden.

    If the cut follows from the share `test`, it is right after the latest interaction that stays. Interactions at the
    same time stay together, so the hidden share may be larger. Items that a user already had before the cut are not
    asked for, unless the option `seen` is `allow`. All queries have the time of the cut. Data without times (declared
    tags, titles, features, and tags given to items that the user already had) counts as known before the cut.
    """

    name = "temporal"
    Config = TemporalOptions
    config: TemporalOptions

    @property
    def asks_for_seen(self) -> bool:
        """True with the option `seen: allow`."""
        return self.config.seen == "allow"

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold; raises DataError if times are missing, or if a side of the cut has no interactions."""
        times, cut = _times(data), self.config.cut
        yield self._fold("test", data, _cut_before(times, self.config.test) if cut is None else _seconds(cut))

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide the latest share `validation` of the training interactions."""
        return self._fold("validation", train, _cut_before(_times(train), self.config.validation))

    def _fold(self, name: str, data: Dataset, cut: float) -> Fold:
        times = _times(data)
        hidden = times >= cut
        fold = fold_of(
            name,
            data,
            hidden,
            min_history=self.config.min_history,
            time=cut,
            sequential=True,
            seen=self.asks_for_seen,
        )
        if fold is None:
            raise DataError(
                f"split temporal: a cut at {_iso(cut)} leaves {int((~hidden).sum())} interactions before and "
                f"{int(hidden.sum())} from then on, and no user with {self.config.min_history} items (`min_history`) "
                f"and anything new to find; the data goes from {_iso(times.min())} to {_iso(times.max())}: move the cut"
            )
        return fold


def _times(data: Dataset) -> Doubles:
    """Return the time of each interaction in seconds since 1970; raises DataError if an interaction has no time."""
    times = data.interactions.times
    if times is None or not len(times):
        raise DataError(
            "split temporal: the interactions have no times; name their column in `data`, or choose another split"
        )
    if missing := int(np.isnan(times).sum()):
        raise DataError(
            f"split temporal: {missing} of {len(times)} interactions have no time; remove them or fill them in"
        )
    return times


def _cut_before(times: Doubles, share: float) -> float:
    """Return the time of the cut that hides about the latest `share` of `times`.

    It is the first representable time after the latest visible time, so it reveals nothing of the hidden times.
    """
    ordered = np.sort(times)
    first_hidden = ordered[len(ordered) - max(1, round(share * len(ordered)))]
    visible = ordered[ordered < first_hidden]
    return float(np.nextafter(visible[-1], np.inf)) if len(visible) else float(first_hidden)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))
