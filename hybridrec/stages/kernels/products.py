"""Scores of candidates: inner products of queries and vectors, and lookups in matrices of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.mips import Exclusion, Longest
from hybridrec.stages.kernels.scratch import multiplied, scratch
from hybridrec.stages.kernels.topk import best_keys, ranked
from hybridrec.types import PADDING, Floats, Ints

_CACHED = 1 << 17
"""The number of entries of a block that stays in the processor's innermost cache."""
_BUFFERED = 1 << 23
"""The number of products computed at once: they stay in its outermost cache, and are enough for a fast product."""
_FEW = 8
"""If at most one id in this many is left to a group of queries, only the vectors of these ids are multiplied."""


def top_products(
    queries: Floats, vectors: Floats, k: int, exclude: Exclusion, longest: Longest | None = None
) -> tuple[Ints, Floats]:
    """Return (ids, scores): the k ids whose vectors have the largest inner products with each query, and the products.

    `queries` are float32 [Q, D] and `vectors` float32 [N, D]. The ids are int32 [Q, k], best first, padded with -1,
    without the ids that `exclude` excludes. The scores are float32 [Q, k], padded with NaN. The products are computed
    block by block. With `longest`, the result of `Longest.of(vectors)`, products that cannot be among the best are
    skipped. If `exclude` leaves few ids to a group of queries, only the products with these ids are computed.
    """
    narrow = list(exclude.narrow(len(vectors) // _FEW))
    if not narrow:
        return ranked(_best_of(queries, vectors, k, exclude, longest), k)
    ids, scores = np.full((len(queries), k), PADDING, np.int32), np.full((len(queries), k), np.nan, np.float32)
    others = np.ones(len(queries), bool)
    for rows, left in narrow:
        others[rows] = False
        places = np.full(len(vectors), len(left), np.int32)
        places[left] = np.arange(len(left))
        keys = _of_all(queries[rows], vectors[left], k, exclude.take(rows).arranged(left, places))
        columns, scores[rows] = ranked(keys, k)
        ids[rows] = np.append(left, np.int32(PADDING))[columns]  # padding, -1, reads the last entry
    rows = np.flatnonzero(others)
    if len(rows):
        ids[rows], scores[rows] = ranked(_best_of(queries[rows], vectors, k, exclude.take(rows), longest), k)
    return ids, scores


def _best_of(
    queries: Floats, vectors: Floats, k: int, exclude: Exclusion, longest: Longest | None
) -> NDArray[np.uint64]:
    """Return the sort keys of the k best products of each query, by a search in `longest` if that is faster.

    The keys are uint64 [Q, k], best first; without the search they are [Q, min(k, N)].
    """
    keys = None if longest is None else longest.search(queries, k, exclude)
    return _of_all(queries, vectors, k, exclude) if keys is None else keys


def _of_all(queries: Floats, vectors: Floats, k: int, exclude: Exclusion) -> NDArray[np.uint64]:
    """Return the sort keys of the k best products of each query, uint64 [Q, min(k, N)], from all Q times N products."""
    keys = np.empty((len(queries), min(k, len(vectors))), np.uint64)
    step = max(_BUFFERED // max(len(vectors), 1), 64)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        products = multiplied(queries[rows], vectors)
        (exclude if len(queries) <= step else exclude.take(rows)).mask(products)
        keys[rows] = best_keys(products, k)
    return keys


def cosines(vectors: Floats, vector: Floats) -> Floats:
    """Return the cosine of each of the vectors, [N, D], with `vector`, [D]: float32 [N].

    The cosine is NaN if either of the two vectors is all zeros or NaN.
    """
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    return np.asarray(vectors @ vector / np.where(lengths > 0, lengths, np.nan), np.float32)


def gather_dot(queries: Floats, vectors: Floats, ids: Ints) -> Floats:
    """Return the inner product of each query with the vector of each of its ids: float32 [Q, K], NaN at padding.

    `queries` are float32 [Q, D], `vectors` float32 [N, D], and `ids` int32 [Q, K], padded with -1.
    """
    result = np.empty(ids.shape, np.float32)
    # The gathered vectors are D times as large as the result, so they are gathered block by block.
    step = max(_CACHED // max(ids.shape[1] * vectors.shape[1], 1), 1)
    for start in range(0, len(ids), step):
        rows = slice(start, start + step)
        gathered = scratch(*ids[rows].shape, vectors.shape[1])
        vectors.take(
            ids[rows], axis=0, mode="wrap", out=gathered
        )  # half the time of indexing; padding (-1) takes the last vector
        np.matmul(gathered, queries[rows, :, None], out=result[rows, :, None])
    result[ids == PADDING] = np.nan
    return result


def pick(scores: Floats, ids: Ints) -> Floats:
    """Return the score of each of the `ids`, int32 [Q, K], from `scores`, [Q, N]: float32 [Q, K], NaN at padding."""
    picked = np.take_along_axis(scores, np.maximum(ids, 0), axis=1)
    return np.where(ids == PADDING, np.nan, picked).astype(np.float32, copy=False)
