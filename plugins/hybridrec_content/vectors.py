"""`content-vectors`: recommends items whose dense vectors (sound, looks, text) are like those of the history."""

from __future__ import annotations

from typing import Self

import numpy as np

from hybridrec import (
    DataError,
    Dataset,
    Floats,
    QueryBatch,
    Similarity,
    SimilarityOptions,
    State,
    Target,
    VectorModel,
    kernels,
)


class ContentVectorsOptions(SimilarityOptions):
    """Measure by which the vector of an item is compared with those of the history."""

    similarity: Similarity = "cosine"
    """Score of an item: its cosine with the mean direction of the history's vectors; or, where the lengths of vectors
    have a meaning, its inner product with their mean (`dot`), or its negative squared distance to it (`euclidean`)."""


class ContentVectors(VectorModel):
    """Similarity of an item's vector and the mean of the vectors of the history's items, each item once.

    As a vector model it can define similarity for re-rankers (`uses`) and `hybridrec similar`. Items without a
    vector get no opinion. `content` blends the same cosine with tags, features and text.
    """

    name = "content-vectors"
    needs = frozenset({"items"})
    folds_in = True
    targets = ("items",)
    Config = ContentVectorsOptions
    config: ContentVectorsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the vectors of items, for the cosine scaled to length 1; return self.

        Raises DataError if the items have no vectors.
        """
        if data.items.vectors is None or not data.items.vectors.any():
            raise DataError(f"{self.name}: the items have no vectors; readers take a file of them as `item_vectors`")
        vectors = _unit(data.items.vectors)
        if self.config.similarity != "cosine":
            vectors = np.where(np.isnan(vectors), vectors, data.items.vectors)
        return self.restore({"items": vectors})

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`.

        NaN rows for queries of which no item in the history has a vector.
        """
        history = queries.matrix("items")
        total = kernels.vector_sums(history, self._items)
        if self.config.similarity == "cosine":
            return _unit(total)
        has_vector = ~np.isnan(self._items[history.indices, 0])
        count = np.bincount(kernels.csr_rows(history)[has_vector], minlength=len(queries)).astype(np.float32)
        return self.config.probes((total / np.where(count > 0, count, np.nan)[:, None]).astype(np.float32))

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of items, float32 [I, D], of length 1 for the cosine; [I, D + 2] for `euclidean`.

        NaN rows for items without a vector.
        """
        return self._places

    def state(self) -> State:
        """Return the vectors of the items."""
        return {"items": self._items}

    def restore(self, state: State) -> Self:
        """Take the vectors of the items from `state`; return self."""
        self._items = state["items"]
        self._places = self._items if self.config.similarity == "cosine" else self.config.places(self._items)
        return self


def _unit(rows: Floats) -> Floats:
    """Scale rows to length 1; rows of zeros become NaN."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, np.nan)).astype(np.float32, copy=False)
