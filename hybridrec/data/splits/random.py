"""Splitter `random`: a random share of all (user, item) pairs is hidden."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import Pairs, _without, hide_pairs, parts
from hybridrec.errors import DataError
from hybridrec.plugin import Options


class RandomOptions(Options):
    """The shares of (user, item) pairs that are hidden, or the number of folds."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of all distinct (user, item) pairs that is hidden. Not used with `folds`."""
    folds: int | None = Field(None, ge=2)
    """Rotate through this many folds instead: every pair is hidden in exactly one."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the training pairs that is hidden for the queries on which blends learn."""


class Random(Splitter):
    """Hide random (user, item) pairs with all their repeats, and with the tags that the user gave to the item."""

    name = "random"
    Config = RandomOptions
    config: RandomOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold, or as many as the option `folds` says; raises DataError if nothing is left to learn from."""
        pairs = Pairs.distinct(data.interactions)
        if self.config.folds and self.config.folds > len(pairs):
            raise DataError(
                f"split random: {self.config.folds} folds need as many (user, item) pairs, but there are only "
                f"{len(pairs)}; lower `folds`"
            )
        numbers = np.arange(len(pairs), dtype=np.int32)
        for name, chosen in parts(numbers, self.config.test, self.config.folds, rng).items():
            yield _without(name, data, pairs, chosen)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide a random share `validation` of the training pairs."""
        return hide_pairs("validation", train, self.config.validation, rng)
