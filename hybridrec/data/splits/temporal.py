"""`temporal`: interactions after a moment are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import fold_of
from hybridrec.errors import DataError
from hybridrec.plugin import Options
from hybridrec.types import Doubles


class TemporalOptions(Options):
    """Options of `temporal`."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of all interactions, the latest, that is hidden. Not used with `cut`."""
    cut: datetime | None = None
    """Hide everything from this moment on instead: a date or time in ISO 8601 (2020-01-31, 2020-01-31T12:00:00),
    UTC unless it says otherwise."""
    min_history: int = Field(0, ge=0)
    """Distinct items a user needs before the cut in order to be asked; 0 asks new users as well."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the training interactions, the latest, that is hidden to learn blends on."""


class Temporal(Splitter):
    """Learn from the past, ask for the future: everything from one moment on is hidden.

    Where a share is given, the cut lies right after the latest interaction that stays, and interactions
    of one time go together, so the hidden share may be larger. Items a user already had before the cut
    are not asked for. All queries carry the time of the cut. What has no time of its own (declared tags,
    titles, features, and tags given to items the user already had) is taken as known before it.
    """

    name = "temporal"
    Config = TemporalOptions
    config: TemporalOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One fold; DataError where times are missing, or a side of the cut is empty."""
        times, cut = _times(data), self.config.cut
        yield self._fold("test", data, _cut_before(times, self.config.test) if cut is None else _seconds(cut))

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Cut once more, before the latest `validation` of the training interactions."""
        return self._fold("validation", train, _cut_before(_times(train), self.config.validation))

    def _fold(self, name: str, data: Dataset, cut: float) -> Fold:
        times = _times(data)
        hidden = times >= cut
        fold = fold_of(name, data, hidden, min_history=self.config.min_history, time=cut)
        if fold is None:
            raise DataError(
                f"split temporal: a cut at {_iso(cut)} leaves {int((~hidden).sum())} interactions before and "
                f"{int(hidden.sum())} from then on, and nobody with {self.config.min_history} items (`min_history`) "
                f"and anything new to find; the data goes from {_iso(times.min())} to {_iso(times.max())}: move the cut"
            )
        return fold


def _times(data: Dataset) -> Doubles:
    """Seconds since 1970 of each interaction; raises DataError where one has none."""
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
    """A moment that about the latest `share` of `times` does not precede.

    It depends on the visible times alone: it is the first moment after the latest of them.
    """
    ordered = np.sort(times)
    first_hidden = ordered[len(ordered) - max(1, round(share * len(ordered)))]
    visible = ordered[ordered < first_hidden]
    return float(np.nextafter(visible[-1], np.inf)) if len(visible) else float(first_hidden)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))
