"""Splitter `folds`: folds that come with the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import Pairs, fold_of, hide_pairs
from hybridrec.errors import DataError
from hybridrec.plugin import Options


class PredefinedOptions(Options):
    """The share of training pairs on which blends learn; the folds come with the data."""

    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the training pairs that is hidden at random for the queries on which blends learn."""


class PredefinedSplit(Splitter):
    """Follow the fold numbers published with the data: fold k hides the pairs with the number k.

    Interactions with a negative number belong to training in every fold. A pair whose interactions have several numbers
    is hidden, with all its repeats, in each of the folds with these numbers.
    """

    name = "folds"
    Config = PredefinedOptions
    config: PredefinedOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield a fold for each number that is not negative.

        Raises DataError if the data has no such numbers, or if a fold leaves nothing to learn from.
        """
        groups = data.interactions.groups
        if groups is None or not (groups >= 0).any():
            raise DataError(
                "split folds: the interactions have no fold numbers; name their column in the key `group` of `data`, "
                "or choose another split"
            )
        pairs = Pairs.distinct(data.interactions)
        for group in np.unique(groups[groups >= 0]):
            fold = fold_of(f"fold-{group}", data, pairs.entries(pairs.at(groups == group)))
            if fold is None:
                raise DataError(
                    f"split folds: hiding the pairs with the number {group} leaves nothing to learn from; give them "
                    "at least two different numbers"
                )
            yield fold

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide a random share `validation` of the training pairs."""
        return hide_pairs("validation", train, self.config.validation, rng)
