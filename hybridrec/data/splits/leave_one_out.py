"""Splitter `leave-one-out`: the last interaction of each user, or a random one, is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import Pairs, choose, fold_of
from hybridrec.errors import DataError
from hybridrec.plugin import Options


class LeaveOneOutOptions(Options):
    """Options that choose the hidden interaction of each user."""

    pick: Literal["last", "random"] = "last"
    """The item of each user that is hidden: the item of the last interaction, or a random item."""
    seen: Literal["exclude", "allow"] = "exclude"
    """`allow` hides one interaction and leaves its repeats: the item may be one that the user had before. The pipelines
    then need `seen: allow`, too."""
    validation: float = Field(1.0, gt=0, le=1)
    """Share of the training users with two or more items for each of whom one more item is hidden, for the queries on
    which blends learn."""


class LeaveOneOut(Splitter):
    """Hide one item of each user who has at least two: all interactions of that (user, item) pair.

    If the item of the last interaction also occurs earlier, its repeats are hidden with it, and the last visible
    interaction is the latest one with another item. With `seen: allow`, only one interaction is hidden of each user who
    has two or more interactions.
    """

    name = "leave-one-out"
    Config = LeaveOneOutOptions
    config: LeaveOneOutOptions

    @property
    def asks_for_seen(self) -> bool:
        """True with the option `seen: allow`."""
        return self.config.seen == "allow"

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold; raises DataError if no user has two distinct items."""
        yield self._fold("test", data, 1.0, rng)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide one more item of each user in a random share `validation` of the training users."""
        return self._fold("validation", train, self.config.validation, rng)

    def _fold(self, name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
        history = data.interactions
        pairs = Pairs(history.lengths) if self.asks_for_seen else Pairs.distinct(history)
        users = np.flatnonzero(pairs.lengths >= 2)
        if not len(users):
            raise DataError(
                f"split leave-one-out: none of the {len(data.users)} users has two distinct items, so none would "
                "have a history left; choose another split or give more data"
            )
        users = users[choose(len(users), share, rng)]
        if self.config.pick == "last":
            last = np.zeros(len(history.ids), bool)
            last[history.offsets[users + 1] - 1] = True
            hidden = pairs.at(last)
        else:
            starts = np.cumsum(pairs.lengths) - pairs.lengths
            hidden = np.zeros(len(pairs), bool)
            hidden[starts[users] + rng.integers(pairs.lengths[users])] = True
        sequential = self.config.pick == "last"
        fold = fold_of(name, data, pairs.entries(hidden), sequential=sequential, seen=self.asks_for_seen)
        assert fold is not None  # each of `users` keeps an item and has one to find
        return fold
