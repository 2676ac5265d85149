"""Vectors of items without interactions, computed from the tags and features that they share with other items."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, hstack

from hybridrec import Bools, Dataset, Doubles, Floats, Options, Sparse

_STEPS = 200
"""Largest number of conjugate gradient steps; convergence comes long before."""


class ColdOptions(Options):
    """Options for the vectors of items without interactions, which are computed from tags and features."""

    cold: Literal["none", "mean", "regression"] = "none"
    """Vectors of items without interactions. `none`: they have no vector. `mean`: a tag or feature has the mean vector
    of the items with it, and an item the mean over its tags and features. `regression`: ridge regression from tags and
    features to vectors. Items without content get no vector."""
    cold_l2: float = Field(100.0, ge=1e-9, le=1e12)
    """Penalty on the squared coefficients of the regression."""


def with_cold_items(vectors: Floats, data: Dataset, options: ColdOptions) -> Floats:
    """Return the vectors, float32 [I, D], with NaN rows replaced by vectors from the items' content, where known."""
    if options.cold == "none":
        return vectors
    learned = ~np.isnan(vectors[:, 0])
    content = _content(data)
    # Tags and features that no learned item has carry no information; an item with no others stays without a vector.
    content = content[:, content[learned].getnnz(axis=0) > 0]
    missing = ~learned & (content.getnnz(axis=1) > 0)
    if not missing.any():
        return vectors
    result = vectors.copy()
    if options.cold == "mean":
        result[missing] = _means(content, vectors, learned, missing)
    else:
        intercept = csr_matrix(np.ones((len(vectors), 1)))
        described = hstack([content, intercept], format="csr")
        count = data.interactions.matrix(binary=True).getnnz(axis=0).astype(np.float64)
        result[missing] = described[missing] @ _ridge(
            described[learned], vectors[learned].astype(np.float64), count[learned], options.cold_l2
        )
    return result


def _content(data: Dataset) -> Sparse:
    """Return the content of items: csr float64 [I, tags + features].

    The value of a tag is log(1 + count). The values of an item's tags together have length 1, and so have the values of
    its features.
    """
    kinds = [data.item_matrix("tags").log1p()]
    if data.items.features is not None:
        kinds.append(data.items.features.matrix)
    return hstack([_unit(kind) for kind in kinds], format="csr", dtype=np.float64)


def _unit(matrix: Sparse) -> Sparse:
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return matrix.multiply(1 / np.where(length > 0, length, 1)[:, None])


def _means(content: Sparse, vectors: Floats, learned: Bools, missing: Bools) -> Doubles:
    """Return for each missing item the mean vector of its tags and features: float64 [missing, D].

    The vector of a tag or feature is the mean vector of the learned items that have it.
    """
    has = content.sign()
    categories = (has[learned].T @ vectors[learned]) / has[learned].getnnz(axis=0)[:, None]
    return (has[missing] @ categories) / has[missing].getnnz(axis=1)[:, None]


def _ridge(content: Sparse, vectors: Doubles, weights: Doubles, l2: float) -> Doubles:
    """Solve for the coefficients B, [C, D], that minimize Σ w_i |v_i - x_i B|² + l2 |B|², by conjugate gradients.

    All dimensions are solved at once. The matrix X'WX of all pairs of tags would not fit into memory for many tags, so
    only its product with B is computed, for which X is enough.
    """
    transposed = content.T.tocsr()
    coefficients = np.zeros((content.shape[1], vectors.shape[1]))
    residual = transposed @ (weights[:, None] * vectors)
    direction = residual.copy()
    square = (residual**2).sum(axis=0)
    enough = 1e-12 * square
    for _ in range(_STEPS):
        if (square <= enough).all():
            break
        image = transposed @ (weights[:, None] * (content @ direction)) + l2 * direction
        step = square / np.maximum((direction * image).sum(axis=0), np.finfo(float).tiny)
        coefficients += step * direction
        residual -= step * image
        previous, square = square, (residual**2).sum(axis=0)
        direction = residual + square / np.maximum(previous, np.finfo(float).tiny) * direction
    return coefficients
