"""Vectors of items that nobody has had, from the tags and features they share with others."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, hstack

from hybridrec import Bools, Dataset, Doubles, Floats, Options, Sparse

_STEPS = 200
"""Conjugate gradients are stopped here; they have converged long before."""


class ColdOptions(Options):
    """How items without interactions come to a vector."""

    cold: Literal["none", "mean", "regression"] = "none"
    """Vectors of items nobody has had: `none`; the `mean` vector of each tag and feature an item has, averaged; or
    ridge `regression` from tags and features to vectors. Items of which nothing is known get none."""
    cold_l2: float = Field(100.0, gt=0)
    """Penalty on the squared coefficients of the regression."""


def with_cold_items(vectors: Floats, data: Dataset, options: ColdOptions) -> Floats:
    """float32 [I, D]: the vectors, and where rows are NaN what their content tells, if anything."""
    if options.cold == "none":
        return vectors
    learned = ~np.isnan(vectors[:, 0])
    content = _content(data)
    # What no learned item has tells nothing, and an item that has nothing else is not described.
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
    """csr float64 [I, tags + features]: log(1 + how often) of tags, and features; each kind in rows of length 1."""
    kinds = [data.item_tags.log1p()]
    if data.item_features is not None:
        kinds.append(data.item_features.matrix)
    return hstack([_unit(kind) for kind in kinds], format="csr", dtype=np.float64)


def _unit(matrix: Sparse) -> Sparse:
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return matrix.multiply(1 / np.where(length > 0, length, 1)[:, None])


def _means(content: Sparse, vectors: Floats, learned: Bools, missing: Bools) -> Doubles:
    """[missing, D]: the mean of the vectors of each category, averaged over the categories of an item."""
    has = content.sign()
    categories = (has[learned].T @ vectors[learned]) / has[learned].getnnz(axis=0)[:, None]
    return (has[missing] @ categories) / has[missing].getnnz(axis=1)[:, None]


def _ridge(content: Sparse, vectors: Doubles, weights: Doubles, l2: float) -> Doubles:
    """B, [C, D], that minimises Σ w_i |v_i - x_i B|² + l2 |B|²: conjugate gradients, all dimensions side by side.

    The matrix X'WX of all pairs of tags would not fit for many tags; its product with B takes no more than X.
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
