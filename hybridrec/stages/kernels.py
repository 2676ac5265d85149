"""Every array trick of the engine: pure functions over blocks of queries, nothing else knows one.

Shapes: Q queries, N ids in the vocabulary, K candidates, k wanted. Ids are int32 with -1 as padding,
scores float32 with NaN where there is none. Ties go to the lower id, on every machine alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import PADDING, Bools, Doubles, Floats, Ints, Sparse


def csr_rows(matrix: Sparse) -> Ints:
    """The row of each stored entry of a csr matrix: int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """The k best columns of each row: ids int32 [Q, k] and scores float32 [Q, k], best first.

    Entries of -inf or NaN are never chosen; rows with fewer than k others are padded with (-1, NaN).
    """
    n = scores.shape[1]
    usable = np.where(np.isnan(scores), -np.inf, scores)
    ids = order(usable) if k >= n else _select(usable, k)
    best = np.take_along_axis(usable, ids, axis=1)
    dead = np.isneginf(best)
    out_ids = np.full((len(scores), k), PADDING, np.int32)
    out_scores = np.full((len(scores), k), np.nan, np.float32)
    width = ids.shape[1]
    out_ids[:, :width] = np.where(dead, PADDING, ids)
    out_scores[:, :width] = np.where(dead, np.nan, best)
    return out_ids, out_scores


def _select(scores: Floats, k: int) -> Ints:
    """Columns of the k best entries of each row, best first; exact, also where the k-th place is tied."""
    n = scores.shape[1]
    threshold = np.partition(scores, n - k, axis=1)[:, n - k, None]
    # All above the threshold are in; of those equal to it, the lowest ids fill what is left.
    above = scores > threshold
    level = scores == threshold
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= room))
    ids = np.nonzero(chosen)[1].reshape(len(scores), k)
    ranking = order(np.take_along_axis(scores, ids, axis=1))
    return np.take_along_axis(ids, ranking, axis=1).astype(np.int32)


def order(scores: Floats) -> Ints:
    """Columns of each row from best to worst, NaN last, ties in column order: int32, shape of `scores`."""
    return np.argsort(-scores, axis=1, kind="stable").astype(np.int32)


def pick(scores: Floats, ids: Ints) -> Floats:
    """`scores[q, ids[q, j]]`, NaN at padding: float32, shape of `ids`."""
    found = np.take_along_axis(scores, np.maximum(ids, 0), axis=1)
    return np.where(ids == PADDING, np.nan, found).astype(np.float32, copy=False)


def gather_dot(queries: Floats, vectors: Floats, ids: Ints) -> Floats:
    """Inner product of query q with vector `ids[q, j]`, NaN at padding: float32, shape of `ids`."""
    found = np.einsum("qd,qkd->qk", queries, vectors[np.maximum(ids, 0)], optimize=False)
    return np.where(ids == PADDING, np.nan, found).astype(np.float32, copy=False)


def merge(lists: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, NDArray[np.uint64], list[Floats]]:
    """Union of candidate lists, row by row.

    Gives ids int32 [Q, K] (ascending, each once, padded with -1 at the end), a bit mask of the lists
    that hold each id, uint64 [Q, K], and the scores of each list at those ids (NaN where it has none).
    At most 64 lists.
    """
    ids = np.concatenate([part for part, _ in lists], axis=1)
    bits = np.concatenate([np.full(part.shape[1], 1 << g, np.uint64) for g, (part, _) in enumerate(lists)])
    # Padding sorts to the end when it is read as unsigned.
    by_id = np.argsort(ids.view(np.uint32), axis=1, kind="stable")
    ids = np.take_along_axis(ids, by_id, axis=1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    first &= ids != PADDING
    slot = np.cumsum(first, axis=1) - 1
    width = int(first.sum(axis=1).max(initial=0))
    rows, places = np.nonzero(ids != PADDING)
    slots = slot[rows, places]
    out_ids = np.full((len(ids), width), PADDING, np.int32)
    out_ids[rows, slots] = ids[rows, places]
    sources = np.zeros(out_ids.shape, np.uint64)
    columns = [np.full(out_ids.shape, np.nan, np.float32) for _ in lists]
    origin = by_id[rows, places]
    start = 0
    for g, (part, scores) in enumerate(lists):
        mine = (origin >= start) & (origin < start + part.shape[1])
        columns[g][rows[mine], slots[mine]] = scores[rows[mine], origin[mine] - start]
        sources[rows[mine], slots[mine]] |= bits[start]
        start += part.shape[1]
    return out_ids, sources, columns


def zscore(values: Floats) -> Floats:
    """Each row to mean 0 and deviation 1 over its non-NaN entries; a constant row becomes 0."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, values, 0).sum(axis=1, keepdims=True, dtype=np.float64) / count
    centred = np.where(known, values - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    return np.where(known, centred / np.where(spread > 0, spread, 1), np.nan).astype(np.float32)


def min_max(values: Floats) -> Floats:
    """Each row to [0, 1] over its non-NaN entries; a constant row becomes 1."""
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    width = np.where(high > low, high - low, 1)
    scaled = np.where(high > low, (values - np.where(known, low, 0)) / width, 1)
    return np.where(known, scaled, np.nan).astype(np.float32)


def ranks(values: Floats) -> Floats:
    """Rank of each non-NaN entry in its row, 1 for the best, ties in column order; NaN stays NaN."""
    by_value = order(values)
    result = np.empty(values.shape, np.float32)
    places = np.arange(1, values.shape[1] + 1, dtype=np.float32)
    np.put_along_axis(result, by_value, np.broadcast_to(places, values.shape), axis=1)
    return np.where(np.isnan(values), np.nan, result).astype(np.float32, copy=False)


def hits(ids: Ints, truth: Sparse) -> Bools:
    """bool, shape of `ids`: whether `truth[q, ids[q, j]]` is set; false at padding."""
    width = truth.shape[1]
    wanted = csr_rows(truth).astype(np.int64) * width + truth.indices
    asked = np.arange(len(ids), dtype=np.int64)[:, None] * width + ids
    return np.isin(asked, wanted) & (ids != PADDING)


def ndcg(scores: Floats, relevant: Bools, wanted: NDArray[np.integer], k: int) -> Doubles:
    """nDCG@k of each row when its K candidates are ranked by `scores`: float64 [Q].

    Binary gains, discount 1 / log2(rank + 1), ideal over min(k, wanted); `relevant` is bool [Q, K] and
    `wanted`, int [Q], counts the relevant ids whether they are among the candidates or not.
    """
    depth = min(k, scores.shape[1])
    if depth < scores.shape[1]:
        unordered = np.argpartition(-scores, depth - 1, axis=1)[:, :depth].astype(np.int32)
        best = np.take_along_axis(unordered, order(np.take_along_axis(scores, unordered, axis=1)), axis=1)
    else:
        best = order(scores)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = np.take_along_axis(relevant, best, axis=1) @ discounts[:depth]
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))[np.minimum(wanted, k)]
    return np.divide(gained, ideal, out=np.zeros(len(gained)), where=ideal > 0)
