"""`content-vectors`: items that sound (look, read) like those of the history, by their dense vectors alone."""

from __future__ import annotations

from typing import Self

import numpy as np

from hybridrec import DataError, Dataset, Floats, QueryBatch, State, Target, VectorModel


class ContentVectors(VectorModel):
    """Cosine of an item's vector and the mean direction of those of the history, each item once.

    As it is a model of vectors, re-rankers (`uses`) and `hybridrec similar` can take it for what is
    alike. Items without a vector get no opinion. `content` blends the same cosine with tags, features and text.
    """

    name = "content-vectors"
    needs = frozenset({"items"})
    folds_in = True
    targets = ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Keep the directions of the vectors; raises DataError where the data has none."""
        if data.item_vectors is None or not data.item_vectors.any():
            raise DataError(f"{self.name}: the items have no vectors; the reader `table` takes them as `item_vectors`")
        self._items = _unit(data.item_vectors)
        return self

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, D] of length 1; NaN where no item of the history has a vector."""
        return _unit(queries.history.matrix(binary=True) @ np.nan_to_num(self._items))

    def vectors(self, target: Target) -> Floats:
        """float32 [I, D] of length 1; NaN for items without a vector."""
        return self._items

    def state(self) -> State:
        """The vectors."""
        return {"items": self._items}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._items = state["items"]
        return self


def _unit(rows: Floats) -> Floats:
    """Rows at length 1; those without a direction are NaN."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, np.nan)).astype(np.float32, copy=False)
