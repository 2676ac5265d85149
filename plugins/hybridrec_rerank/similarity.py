"""Similarity of items: a vector for each, from the data or from a component of the experiment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from hybridrec import ComponentRef, Dataset, Floats, Options, Reranker, Sparse, State, VectorModel


class LikenessOptions(Options):
    """Options of the re-rankers that use the similarity of items."""

    alike: Literal["users", "tags"] = "users"
    """Definition of similarity: the same users have the items, or the same tags describe them."""
    uses: Annotated[str, ComponentRef(VectorModel)] | None = None
    """Label of a component whose vectors define similarity, such as `als` or `word2vec`, instead of `alike`."""
    dim: int = Field(64, ge=1)
    """Dimensions of the vectors that are computed for `alike`."""
    depth: int = Field(100, ge=1)
    """Number of best candidates to consider."""


class Likeness(Reranker):
    """Base of the re-rankers that use similarity: `_vectors`, float32 [I, D], each of length 1 or 0.

    They are the vectors of the component that `uses` names, or a truncated SVD of the items' users or tags.
    """

    fuses = False
    config: LikenessOptions

    def use(self, vectors: Floats) -> Self:
        """Take a component's vectors; an item without one (NaN) is similar to none."""
        self._vectors = _units(np.nan_to_num(vectors))
        return self

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute a vector per item, unless a component provides them."""
        if self.config.uses is None:
            tags = self.config.alike == "tags"
            described = data.item_matrix("tags") if tags else data.interactions.matrix(binary=True).T.tocsr()
            self._vectors = _units(_reduced(described, self.config.dim, rng))
        return self

    def state(self) -> State:
        """Return the vectors."""
        return {"vectors": self._vectors}

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._vectors = state["vectors"]
        return self


def _reduced(matrix: Sparse, dim: int, rng: np.random.Generator) -> Floats:
    """Reduce rows to `dim` dimensions: left singular vectors times singular values, or the rows themselves if few."""
    from scipy.sparse.linalg import svds

    if not matrix.nnz:
        return np.zeros((matrix.shape[0], 1), np.float32)
    if min(matrix.shape) <= dim:
        return matrix.toarray().astype(np.float32)
    left, values, _ = svds(matrix.astype(np.float64), k=dim, v0=rng.standard_normal(min(matrix.shape)))
    return (left * values).astype(np.float32)


def _units(rows: Floats) -> Floats:
    """Scale each row to length 1; a row of zeros is similar to none and stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
