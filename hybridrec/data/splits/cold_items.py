"""Splitter `cold-items`: items without interactions, to be recommended by their content."""

from __future__ import annotations

from collections.abc import Iterator
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
    """The items that are hidden, and the users who become queries."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of the items with interactions that is hidden. Not used with `folds`."""
    folds: int | None = Field(None, ge=2)
    """Rotate through this many folds instead: every such item is hidden in exactly one."""
    min_history: int = Field(5, ge=1)
    """Distinct visible items that a user needs to become a query."""
    candidate_items: Literal["hidden", "all"] = "hidden"
    """The items that may be recommended: only the hidden ones, or all."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the items with training interactions that is hidden for the queries on which blends learn."""


class ColdItems(Splitter):
    """Hide items completely: all their interactions and all tags that users gave them.

    The declared data of a hidden item (its tags, features, text and time) stays: it is known when a new item
    appears. Items without interactions are never hidden, since they are not relevant to any user.
    """

    name = "cold-items"
    Config = ColdItemsOptions
    config: ColdItemsOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold, or as many as the option `folds` says; raises DataError if a fold has no queries."""
        items = _with_interactions(data)
        if self.config.folds and self.config.folds > len(items):
            raise DataError(
                f"split cold-items: {self.config.folds} folds need as many items with interactions, but there are "
                f"only {len(items)}; lower `folds`"
            )
        for name, hidden in parts(items, self.config.test, self.config.folds, rng).items():
            yield self._fold(name, data, hidden)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide a share `validation` of the items with training interactions."""
        items = _with_interactions(train)
        return self._fold("validation", train, items[choose(len(items), self.config.validation, rng)])

    def _fold(self, name: str, data: Dataset, items: Ints) -> Fold:
        """Return the fold that hides all interactions with these items; raises DataError if it has no queries."""
        cold = np.zeros(len(data.items), bool)
        cold[items] = True
        fold = fold_of(
            name,
            data.hide_items(cold),
            cold[data.interactions.ids],
            min_history=self.config.min_history,
            candidate_items=cold if self.config.candidate_items == "hidden" else None,
        )
        if fold is None:
            raise DataError(
                f"split cold-items: with {len(items)} of {len(data.items)} items hidden, no user has "
                f"{self.config.min_history} visible items and a hidden one; lower `min_history` or change the share "
                "of hidden items"
            )
        return fold


def _with_interactions(data: Dataset) -> Ints:
    """Return the ascending codes of the items with interactions; raises DataError for fewer than two."""
    items = np.unique(data.interactions.ids)
    if len(items) < 2:
        raise DataError(
            f"split cold-items: {len(items)} of {len(data.items)} items have interactions; at least two are needed, "
            "one to hide and one to learn from"
        )
    return items
