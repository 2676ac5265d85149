"""Scores of candidates: inner products of queries and vectors, and scores that exist already."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from hybridrec.arrays import PADDING, Floats, Ints
from hybridrec.stages.kernels.topk import top_k

_CACHED = 1 << 17
"""Entries of a block that stays in the processor's nearest cache."""
_BUFFERED = 1 << 23
"""Products that exist at once: they stay in its farthest cache, and are many enough for a fast matrix product."""


def top_products(
    queries: Floats, vectors: Floats, k: int, mask: Callable[[slice, Floats], None]
) -> tuple[Ints, Floats]:
    """`top_k` of the inner products of queries, [Q, D], and vectors, [N, D], which never exist all at once.

    `mask(rows, scores)` sets to -inf what may not be chosen in a block of scores, float32 [rows, N].
    """
    ids, scores = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.float32)
    step = min(max(_BUFFERED // max(len(vectors), 1), 64), max(len(queries), 1))
    buffer = _scratch.of(step * len(vectors)).reshape(step, len(vectors))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        block = np.matmul(queries[rows], vectors.T, out=buffer[: rows.stop - start])
        mask(rows, block)
        ids[rows], scores[rows] = top_k(block, k)
    return ids, scores


def gather_dot(queries: Floats, vectors: Floats, ids: Ints) -> Floats:
    """Inner product of query q with vector `ids[q, j]`, NaN at padding: float32, shape of `ids`."""
    result = np.empty(ids.shape, np.float32)
    # The gathered vectors are much larger than the result, so only a block of them exists at a time.
    step = max(_CACHED // max(ids.shape[1] * vectors.shape[1], 1), 1)
    for start in range(0, len(ids), step):
        rows = slice(start, start + step)
        np.matmul(vectors[np.maximum(ids[rows], 0)], queries[rows, :, None], out=result[rows, :, None])
    result[ids == PADDING] = np.nan
    return result


def pick(scores: Floats, ids: Ints) -> Floats:
    """`scores[q, ids[q, j]]`, NaN at padding: float32, shape of `ids`."""
    found = np.take_along_axis(scores, np.maximum(ids, 0), axis=1)
    return np.where(ids == PADDING, np.nan, found).astype(np.float32, copy=False)


class _Scratch(threading.local):
    """Memory of a thread that is written over and over: fresh pages cost as much as what is computed into them."""

    buffer: Floats = np.empty(0, np.float32)

    def of(self, size: int) -> Floats:
        """float32 [size], with anything in it."""
        if len(self.buffer) < size:
            self.buffer = np.empty(size, np.float32)
        return self.buffer[:size]


_scratch = _Scratch()
