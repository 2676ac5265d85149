"""Doubts about an experiment: sentences on probable mistakes that its data and queries show before any fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import NOTHING
from hybridrec.data.segments.base import segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Fold
from hybridrec.types import DAY

YEAR_1971 = 365 * DAY
RANKS = frozenset({"factors", "dim"})
"""Options that are the length of vectors; more dimensions than the data has users or items add nothing."""
COUNTS = frozenset({"neighbours", "clusters"})
"""Options that are a number of users or items."""
THRESHOLDS = frozenset({"min_count", "min_users"})
"""Options that are the fewest users or interactions of an item; items with fewer are left out."""
THINNED = 0.5
"""If k-core filtering leaves a smaller share of the interactions than this, there is a doubt about it."""


class Doubts:
    """A collector of the doubts about one experiment, from its data and then from each of its folds."""

    def __init__(self, experiment: CheckedExperiment, data: Dataset) -> None:
        """Start with the doubts about the data as a whole."""
        self.experiment = experiment
        self.of_data = list(_of_times(data))
        self.of_folds: dict[str, str] = {}
        """The first doubt about each option, by its place in the config; other folds would only change its numbers."""
        self.asked: Counter[str] = Counter()
        """Number of queries by the fields that they have."""
        self.segments: Counter[str] = Counter()
        self.ignorant: Counter[str] = Counter()
        """Number of queries without any field, by segment; `segments` has the number of all queries of the segment."""

    def add(self, fold: Fold, thinned: Fold) -> None:
        """Add the doubts about a fold; `thinned` is the same fold after k-core filtering."""
        fields = fold.queries.known_fields()
        self.asked.update(fields.tolist())
        first = next(iter(self.experiment.segmenters.values()))
        if not isinstance(first, KnownFields):
            segments = fold.queries.segment
            if segments is None:
                segments = segments_of(first, fold.queries, fold.train)
            self.segments.update(segments.tolist())
            self.ignorant.update(segments[fields == NOTHING].tolist())
        before, after = len(fold.train.interactions.ids), len(thinned.train.interactions.ids)
        if after < THINNED * before:
            line = f"k_core leaves {after:,} of the {before:,} interactions of the training part"
            self.of_folds.setdefault("k_core", line)
        for variant in (variant for spec in self.experiment.components.values() for variant in spec.variants):
            for place, line in _of_options(variant, thinned.train):
                self.of_folds.setdefault(place, f"{place}: {line}")

    def told(self) -> tuple[str, ...]:
        """Return all doubts as sentences; those about queries come last."""
        return (*self.of_data, *self.of_folds.values(), *self._of_queries(), *self._of_scenarios())

    def _of_queries(self) -> Iterator[str]:
        """Yield a sentence if there are queries of which nothing is known; it has their number in each segment."""
        unknown, total = self.asked[NOTHING], self.asked.total()
        if not unknown:
            return
        shares = [f"{self.ignorant[name]:,} of {self.segments[name]:,} in '{name}'" for name in sorted(self.ignorant)]
        where = f" ({', '.join(shares)})" if shares else ""
        line = (
            f"{unknown:,} of {total:,} queries know nothing{where}: all of them get the same slate, that of a fallback"
        )
        if unknown == total:
            line += "; for baskets or sessions, which do not come back, `split: {use: masked}` shows a part of each"
        yield line

    def _of_scenarios(self) -> Iterator[str]:
        """Yield a sentence about each scenario of the splitter (a set of fields of queries) that no query has."""
        asked = {frozenset(name.split("+")) for name in self.asked}
        for name in getattr(self.experiment.splitter.config, "scenarios", None) or ():
            if frozenset(name.split("+")) not in asked:
                shown = ", ".join(f"{count:,} {fields}" for fields, count in sorted(self.asked.items()))
                yield f"split.scenarios.{name}: no query knows this; the queries of all folds are {shown}"


def _of_times(data: Dataset) -> Iterator[str]:
    """Yield a sentence about the times of interactions if all are in 1970, or all within one day."""
    times = data.interactions.times
    if times is None or np.isfinite(times).sum() < 2:
        return
    first, last = float(np.nanmin(times)), float(np.nanmax(times))
    # Readers may give any year, and `datetime` ends at 9999.
    shown = [str(np.datetime64(int(time), "m")).replace("T", " ") for time in (first / 60, last / 60)]
    if first >= 0 and last < YEAR_1971:
        yield (
            f"all {len(times):,} times are from {shown[0]} to {shown[1]}, soon after 1970: if they are not in "
            "seconds, or count something else, `time_unit` says so, or `position` in place of `time`"
        )
    elif last - first < DAY:
        yield (
            f"all {len(times):,} times are within one day, from {shown[0]} to {shown[1]}: a split by time asks for the "
            "last hours alone"
        )


def _of_options(spec: ComponentSpec, train: Dataset) -> Iterator[tuple[str, str]]:
    """Yield (place in the config, sentence) for each option of a component that is too large for the training part."""
    history = train.interactions
    if not len(history.ids):
        return
    per_item = np.bincount(history.ids, minlength=history.width)
    users, items = int((history.lengths > 0).sum()), int((per_item > 0).sum())
    data = f"the training part has {users:,} users and {items:,} items"
    stated = ((name, value) for name, value in spec.options if name in spec.options.model_fields_set)
    for name, value in stated:
        for number in _numbers(value):
            place = f"components.{spec.label}.{name}"
            if name in RANKS and number > min(users, items):
                yield place, f"{number:,}, and {data}: more than {min(users, items):,} add nothing but time and memory"
            elif name in COUNTS and number > max(users, items):
                yield place, f"{number:,}, and {data}: all of them are taken"
            elif name in THRESHOLDS and number > (most := int(per_item.max())):
                yield place, f"{number:,}, and no item of the training part has more than {most:,}: none is left"


def _numbers(value: Any) -> Iterator[int]:
    """Yield the integers in an option's value: the value itself, or those of a dict with a number for each kind."""
    for number in value.values() if isinstance(value, dict) else (value,):
        if isinstance(number, int) and not isinstance(number, bool):
            yield number
