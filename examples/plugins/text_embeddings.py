"""`latent-text`: recommends items, also new ones, by latent semantic analysis of their texts."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import (
    Dataset,
    Embedding,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    VectorModel,
    bag_of_words,
    pack_words,
    unpack_words,
)


class LatentTextOptions(Options):
    """Options of `latent-text`."""

    dimensions: int = Field(64, ge=1)
    """Length of the vectors; it is at most the number of items, and the number of words, minus 1."""
    text_weight: float = Field(1.0, ge=0)
    """Weight of the words of the query relative to the items of its history."""


class LatentText(VectorModel):
    """Items whose texts are like those of the history, or like the words of the query."""

    name = "latent-text"
    needs = frozenset({"items", "title"})
    folds_in = True
    prepares = ("dimensions",)
    requires = ("sklearn",)
    install_hint = "pip install scikit-learn"
    Config = LatentTextOptions
    config: LatentTextOptions

    def prepare(self, catalogue: Dataset) -> State:
        """Return the words, and the vectors of words and items by a truncated SVD of the TF-IDF matrix."""
        words, counts = bag_of_words(catalogue.items.names())
        rarity = np.log1p(counts.shape[0] / np.maximum(counts.getnnz(axis=0), 1)).astype(np.float32)
        dimensions = min(self.config.dimensions, min(counts.shape) - 1)
        axes = np.zeros((counts.shape[1], max(dimensions, 1)), np.float32)
        if dimensions > 0 and counts.nnz:
            from sklearn.utils.extmath import randomized_svd

            axes = randomized_svd(counts.multiply(rarity).tocsr(), dimensions, random_state=0)[2].T
        word_vectors = np.ascontiguousarray(axes * rarity[:, None], np.float32)
        return {"words": pack_words(words), "axes": word_vectors, "items": _unit(counts @ word_vectors)}

    def fit(self, data: Dataset, rng: np.random.Generator) -> LatentText:
        """Take the vectors that `prepare` made, which do not depend on interactions; return self."""
        return self.restore(self.prepared(data))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the mean vector of the history's items plus the weighted vector of the words: float32 [Q, D]."""
        history: Sparse = queries.history.matrix(binary=True)
        lengths = np.maximum(np.diff(history.indptr), 1)[:, None]
        of_words = _unit(bag_of_words(queries.text, self._words)[1] @ self._axes)
        vectors = (history @ self._items / lengths + self.config.text_weight * of_words).astype(np.float32)
        vectors[~queries.has_any(self.needs)] = np.nan
        return vectors

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of all items, with and without interactions: float32 [I, D]."""
        return self._items

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return the vectors of all items, and of the words: that of a query of this word alone."""
        words = self.config.text_weight * _unit(self._axes)
        return super().embeddings(data) | {"words": Embedding(self._words, words)}

    def state(self) -> State:
        """Return the words, and the vectors of words and items."""
        return {"words": pack_words(self._words), "axes": self._axes, "items": self._items}

    def restore(self, state: State) -> LatentText:
        """Take the words and the vectors from `state`; return self."""
        self._words, self._axes, self._items = unpack_words(state["words"]), state["axes"], state["items"]
        return self


def _unit(vectors: Floats) -> Floats:
    """Scale rows to length 1; rows of zeros stay as they are."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)
