"""`content-vectors`: items that sound (look, read) like those of the history, by their dense vectors alone."""

from __future__ import annotations

from typing import Self

import numpy as np

from hybridrec import DataError, Dataset, Floats, QueryBatch, State, Target, VectorModel


class ContentVectors(VectorModel):
    """Cosine of an item's vector and the mean direction of the history's vectors, each item once.

    As a vector model it can define similarity for re-rankers (`uses`) and `hybridrec similar`. Items without a
    vector get no opinion. `content` blends the same cosine with tags, features and text.
    """

    name = "content-vectors"
    needs = frozenset({"items"})
    folds_in = True
    targets = ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the directions of the vectors; raises DataError if the data has none."""
        if data.items.vectors is None or not data.items.vectors.any():
            raise DataError(f"{self.name}: the items have no vectors; the reader `table` takes them as `item_vectors`")
        self._items = _unit(data.items.vectors)
        return self

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, D] of length 1; NaN if no item of the history has a vector."""
        return _unit(queries.history.matrix(binary=True) @ np.nan_to_num(self._items))

    def vectors(self, target: Target) -> Floats:
        """Return float32 [I, D] of length 1; NaN for items without a vector."""
        return self._items

    def state(self) -> State:
        """Return the vectors."""
        return {"items": self._items}

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._items = state["items"]
        return self


def _unit(rows: Floats) -> Floats:
    """Scale rows to length 1; rows without a direction become NaN."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, np.nan)).astype(np.float32, copy=False)
