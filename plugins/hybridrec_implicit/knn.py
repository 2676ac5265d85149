"""`item-knn`: a query's items, and optionally tags, vote for the columns most similar to them."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    ITEMS,
    Dataset,
    DenseModel,
    Floats,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_implicit.column_model import ColumnModel, ColumnOptions, one_thread


class ItemKNNOptions(ColumnOptions):
    """Options of `item-knn`: the measure of similarity, and the number of neighbours."""

    similarity: Literal["cosine", "bm25", "tfidf"] = "bm25"
    """Weight of users in the similarity of two columns: all equal, or lower for users with more entries (BM25, TF-IDF).
    """
    neighbours: int = Field(200, gt=0)
    """Number of most similar columns that each column votes for."""
    k1: float = Field(1.2, ge=0)
    """BM25 only: saturation of repeats; with higher values repeats count more."""
    b: float = Field(0.2, ge=0, le=1)
    """BM25 only: normalization by length; higher values hold back columns with many users."""


class ItemKNN(ColumnModel, DenseModel):
    """Item-based nearest neighbours; the score is the query's row times the similarity matrix.

    Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms" (2001). An id gets no opinion if it is
    not a neighbour of any item or tag of the query.
    """

    name = "item-knn"
    version = "2"
    Config = ItemKNNOptions
    config: ItemKNNOptions

    _votes: dict[Target, Sparse]
    """Similarities of all columns to those of each target: csr float32 [columns, N]."""

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Find the neighbours of every column; return self."""
        self.kinds = self.kinds_of(data)
        with one_thread(self.name):
            similarity = self._similarity(self.matrix(data))
        votes = _without_self(similarity)
        bounds = np.cumsum([0, *map(data.size, self.kinds)])
        self._votes = {
            kind: votes if len(self.kinds) == 1 else votes[:, start:stop]
            for kind, start, stop in zip(self.kinds, bounds, bounds[1:], strict=False)
        }
        return self

    def _similarity(self, matrix: Sparse) -> Sparse:
        """Return the similarity of each column to its nearest neighbours, itself among them: csr [columns, columns]."""
        from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize, tfidf_weight

        users = matrix.T
        # A user who has half of all columns has weight 0, which may leave a column with a norm of 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.config.similarity == "cosine":
                weighted = normalize(users)
            elif self.config.similarity == "tfidf":
                weighted = normalize(tfidf_weight(users))
            else:
                weighted = bm25_weight(users, self.config.k1, self.config.b)
        model = ItemItemRecommender(self.config.neighbours + 1, num_threads=1)
        model.fit(weighted.T.tocsr(), show_progress=False)
        return model.similarity

    def state(self) -> State:
        """Return the kinds of the columns, and the similarities of all columns to the columns of each kind."""
        state: State = {"kinds": np.array(self.kinds)}
        for kind, votes in self._votes.items():
            state |= pack_csr(votes, f"votes.{kind}")
        return state

    def restore(self, state: State) -> Self:
        """Take the kinds and their similarities from `state`; return self."""
        self.kinds = tuple(map(str, state["kinds"]))
        self._votes = {kind: unpack_csr(state, f"votes.{kind}") for kind in self.kinds}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the neighbours of all columns, and of the training matrix in float64."""
        kinds = self.kinds_of(data)
        columns = sum(map(data.size, kinds))
        entries = len(data.interactions.ids) + sum(data.user_matrix(kind).nnz for kind in kinds if kind != ITEMS)
        return 40 * columns * self.config.neighbours + 24 * entries

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it counts all pairs of columns with a common user."""
        lengths = sum(np.diff(data.user_matrix(kind).indptr).astype(np.float64) for kind in self.kinds_of(data))
        return 1e-8 * float(np.square(lengths).sum())

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the sums of the votes, float32 [Q, N]; NaN for ids that are no neighbours of anything in the query."""
        scores = kernels.dense_product(self.matrix(queries), self._votes[target])
        return np.where(scores > 0, scores, np.float32(np.nan))


def _without_self(similarity: Sparse) -> Sparse:
    """Return the similarity matrix, csr float32, with only its positive, finite entries off the diagonal."""
    pairs = similarity.tocoo()
    kept = (pairs.row != pairs.col) & np.isfinite(pairs.data) & (pairs.data > 0)
    votes = csr_matrix(
        (pairs.data[kept].astype(np.float32), (pairs.row[kept], pairs.col[kept])), shape=similarity.shape
    )
    votes.sort_indices()
    return votes
