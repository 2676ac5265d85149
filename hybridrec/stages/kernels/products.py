"""Scores of candidates: inner products of queries and vectors, and scores that exist already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.mips import Exclusion, Longest
from hybridrec.stages.kernels.scratch import multiplied, scratch
from hybridrec.stages.kernels.topk import best_keys, ranked
from hybridrec.types import PADDING, Floats, Ints

_CACHED = 1 << 17
"""Entries of a block that stays in the processor's nearest cache."""
_BUFFERED = 1 << 23
"""Products that exist at once: they stay in its farthest cache, and are many enough for a fast matrix product."""


def top_products(
    queries: Floats, vectors: Floats, k: int, exclude: Exclusion, longest: Longest | None = None
) -> tuple[Ints, Floats]:
    """`top_k` of the inner products of queries, [Q, D], and vectors, [N, D], which never exist all at once.

    With `longest`, `Longest.of(vectors)`, those products are left out that cannot be among the best.
    """
    keys = None if longest is None else longest.search(queries, k, exclude)
    return ranked(_of_all(queries, vectors, k, exclude) if keys is None else keys, k)


def _of_all(queries: Floats, vectors: Floats, k: int, exclude: Exclusion) -> NDArray[np.uint64]:
    """Keys of the best products, uint64 [Q, min(k, N)]."""
    keys = np.empty((len(queries), min(k, len(vectors))), np.uint64)
    step = max(_BUFFERED // max(len(vectors), 1), 64)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        products = multiplied(queries[rows], vectors)
        exclude.take(rows).mask(products)
        keys[rows] = best_keys(products, k)
    return keys


def gather_dot(queries: Floats, vectors: Floats, ids: Ints) -> Floats:
    """Inner product of query q with vector `ids[q, j]`, NaN at padding: float32, shape of `ids`."""
    result = np.empty(ids.shape, np.float32)
    # The gathered vectors are much larger than the result, so only a block of them exists at a time.
    step = max(_CACHED // max(ids.shape[1] * vectors.shape[1], 1), 1)
    for start in range(0, len(ids), step):
        rows = slice(start, start + step)
        own = scratch(*ids[rows].shape, vectors.shape[1])
        vectors.take(ids[rows], axis=0, mode="wrap", out=own)  # half the time of an index; padding takes the last
        np.matmul(own, queries[rows, :, None], out=result[rows, :, None])
    result[ids == PADDING] = np.nan
    return result


def pick(scores: Floats, ids: Ints) -> Floats:
    """`scores[q, ids[q, j]]`, NaN at padding: float32, shape of `ids`."""
    found = np.take_along_axis(scores, np.maximum(ids, 0), axis=1)
    return np.where(ids == PADDING, np.nan, found).astype(np.float32, copy=False)
