"""`cold-items`: items nobody has interacted with yet, to be recommended by their content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import choose, fold_of, parts
from hybridrec.errors import DataError
from hybridrec.plugin import Options
from hybridrec.types import Ints


class ColdItemsOptions(Options):
    """Options of `cold-items`."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of the items (of those with any interaction) that is hidden. Not used with `folds`."""
    folds: int | None = Field(None, ge=2)
    """Rotate instead: this many folds, in which every such item is hidden exactly once."""
    min_history: int = Field(5, ge=1)
    """Distinct visible items a user needs in order to be asked."""
    universe: Literal["hidden", "all"] = "hidden"
    """What may be recommended: the hidden items only, or all items."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the items with training interactions that is hidden to learn blends on."""


class ColdItems(Splitter):
    """Hide items completely: all their interactions and all tags that users gave them.

    What the data declares of a hidden item (its tags, features, text and time) stays: it is known when a
    new item appears. Items without any interaction are never hidden, since nobody could ask for them.
    """

    name = "cold-items"
    Config = ColdItemsOptions
    config: ColdItemsOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One fold, or `folds` of them; DataError if no user can be asked."""
        items = _with_interactions(data)
        if self.config.folds and self.config.folds > len(items):
            raise DataError(
                f"split cold-items: {self.config.folds} folds need as many items with interactions, but there are "
                f"only {len(items)}; lower `folds`"
            )
        for name, hidden in parts(items, self.config.test, self.config.folds, rng).items():
            yield self._fold(name, data, hidden)

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide `validation` of the items that training still has interactions of."""
        items = _with_interactions(train)
        return self._fold("validation", train, items[choose(len(items), self.config.validation, rng)])

    def _fold(self, name: str, data: Dataset, items: Ints) -> Fold:
        """The fold that hides all interactions with these items; raises DataError if that leaves nobody to ask."""
        cold = np.zeros(len(data.items), bool)
        cold[items] = True
        fold = fold_of(
            name,
            # Tags are given to items the user has no interaction with, too; they say as much about the item.
            replace(data, assignments=data.assignments[~cold[data.assignments[:, 1]]]),
            cold[data.interactions.ids],
            min_history=self.config.min_history,
            universe=cold if self.config.universe == "hidden" else None,
        )
        if fold is None:
            raise DataError(
                f"split cold-items: with {len(items)} of {len(data.items)} items hidden, no user has "
                f"{self.config.min_history} visible items and a hidden one; lower `min_history` or change the share "
                "of hidden items"
            )
        return fold


def _with_interactions(data: Dataset) -> Ints:
    """Codes of the items that anybody has, ascending; raises DataError for fewer than two."""
    items = np.unique(data.interactions.ids)
    if len(items) < 2:
        raise DataError(
            f"split cold-items: {len(items)} of {len(data.items)} items have interactions; hiding one and learning "
            "from another takes two"
        )
    return items
