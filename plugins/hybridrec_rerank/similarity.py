"""Similarity of items by a vector for each, from the data or from a component of the experiment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from hybridrec import ComponentRef, Dataset, Floats, Options, Reranker, Sparse, State, Target, VectorModel


class LikenessOptions(Options):
    """Options of re-rankers that use the similarity of items: its definition, and the candidates considered."""

    alike: Literal["users", "tags"] = "users"
    """Definition of similarity: items are alike if the same users have them, or if the same tags describe them."""
    uses: Annotated[str, ComponentRef(VectorModel)] | None = None
    """Label of a component whose vectors define similarity, such as `als` or `word2vec`, instead of `alike`."""
    dim: int = Field(64, ge=1)
    """Dimensions of the vectors that are computed for `alike`."""
    depth: int = Field(100, ge=1)
    """Number of best candidates to consider."""


class Likeness(Reranker):
    """Base of the re-rankers that use the similarity of items, the cosine of their vectors.

    The vectors are those of the component that `uses` names, or a truncated SVD of the items' users or tags.
    """

    fuses = False
    version = "2"
    config: LikenessOptions

    def __init__(self, config: Options | None = None) -> None:
        """Start without vectors."""
        super().__init__(config)
        self._vectors = np.zeros((0, 1), np.float32)
        self._base_units: dict[Target, Floats] = {}

    def use(self, model: VectorModel) -> Self:
        """Take the component whose vectors define similarity; return self."""
        self._model, self._base_units = model, {}
        return self

    def units(self, target: Target) -> Floats:
        """Return a vector for each id of the target, float32 [N, D], of length 1, or 0 if the id is similar to none."""
        if self.config.uses is None:
            return self._vectors
        if target not in self._base_units:
            self._base_units[target] = _units(np.nan_to_num(self._model.vectors(target)))
        return self._base_units[target]

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute a vector for each item, unless `uses` names a component that has them; return self."""
        if self.config.uses is None:
            tags = self.config.alike == "tags"
            described = data.item_matrix("tags") if tags else data.interactions.matrix(binary=True).T.tocsr()
            self._vectors = _units(_reduced(described, self.config.dim, rng))
        return self

    def state(self) -> State:
        """Return the computed vectors of the items."""
        return {"vectors": self._vectors}

    def restore(self, state: State) -> Self:
        """Take the computed vectors from `state`; return self."""
        self._vectors = state["vectors"]
        return self


def _reduced(matrix: Sparse, dim: int, rng: np.random.Generator) -> Floats:
    """Reduce the rows of a matrix to `dim` dimensions: left singular vectors times singular values.

    A matrix with no more than `dim` rows or columns is returned as it is, dense.
    """
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
