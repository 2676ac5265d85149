"""Every array trick of the engine: pure functions over blocks of queries, nothing else knows one.

Shapes: Q queries, N ids in the vocabulary, K candidates, k wanted. Ids are int32 with -1 as padding,
scores float32 with NaN where there is none. Ties go to the lower id, on every machine alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import PADDING, Bools, Doubles, Floats, Ints, Sparse

__all__ = [
    "best",
    "csr_rows",
    "draws",
    "gather_dot",
    "hits",
    "merge",
    "min_max",
    "ndcg",
    "order",
    "pick",
    "ranks",
    "top_k",
    "zscore",
]


def csr_rows(matrix: Sparse) -> Ints:
    """The row of each stored entry of a csr matrix: int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """The k best columns of each row: ids int32 [Q, k] and scores float32 [Q, k], best first.

    Entries of -inf or NaN are never chosen; rows with fewer than k others are padded with (-1, NaN).
    """
    ids = best(scores, k)
    found = np.take_along_axis(scores, ids, axis=1)
    chosen = found > -np.inf
    out_ids = np.full((len(scores), k), PADDING, np.int32)
    out_scores = np.full((len(scores), k), np.nan, np.float32)
    width = ids.shape[1]
    out_ids[:, :width] = np.where(chosen, ids, PADDING)
    out_scores[:, :width] = np.where(chosen, found, np.nan)
    return out_ids, out_scores


def best(scores: Floats, k: int) -> Ints:
    """Columns of the k best entries of each row (all, if there are fewer), best first: int32 [Q, min(k, N)].

    Exact, also where the k-th place is tied. Entries of -inf and NaN come last, in any order.
    """
    n = scores.shape[1]
    if k >= n:
        return order(scores)
    keys = np.empty((len(scores), k), np.uint64)
    step = max(_CACHED // n, 1)
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        keys[rows] = np.partition(_contenders(scores[rows], k), k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    return _columns(keys)


def order(scores: Floats) -> Ints:
    """Columns of each row from best to worst, NaN last, ties in column order: int32, shape of `scores`."""
    keys = _keys(scores, np.arange(scores.shape[1]))
    keys.sort(axis=1)
    return _columns(keys)


def _contenders(scores: Floats, k: int) -> NDArray[np.uint64]:
    """Keys of some entries of each row, the k best among them.

    Every `groups`-th column makes a group. The k best entries lie in the k groups with the highest
    maxima: any other group stands behind k groups with a better entry each. Maxima are cheap, ranking
    is not, and this leaves little to rank.
    """
    n = scores.shape[1]
    rounds = int(np.sqrt(n / k) / 2)
    if rounds < 3:  # the groups would be as many as the columns
        return _keys(scores, np.arange(n))
    groups = n // rounds
    grouped = scores[:, : rounds * groups].reshape(len(scores), rounds, groups)
    maxima = _keys(np.fmax.reduce(grouped, axis=1), np.arange(groups))
    maxima.partition(k, axis=1)
    last, next_best = maxima[:, :k].max(axis=1) >> _HALF, maxima[:, k] >> _HALF
    if ((last == next_best) & (last < _NEVER)).any():  # which of the tied groups has the lowest id is unknown
        return _keys(scores, np.arange(n))
    members = _columns(maxima[:, None, :k]) + np.arange(0, rounds * groups, groups, dtype=np.int32)[:, None]
    rest = np.broadcast_to(np.arange(rounds * groups, n, dtype=np.int32), (len(scores), n - rounds * groups))
    columns = np.concatenate((members.reshape(len(scores), -1), rest), axis=1)
    return _keys(np.take_along_axis(scores, columns, axis=1), columns)


_CACHED = 1 << 17
"""Entries of a block that stays in the processor's cache."""
_HALF = np.uint64(32)
_NEVER = np.uint64(0xFF80_0000)
"""The upper half of the key of -inf; NaN lies above."""


def _keys(scores: Floats, columns: NDArray[np.integer]) -> NDArray[np.uint64]:
    """One number per entry that ascends from best to worst, ties in column order, NaN last.

    The upper half holds the bits of the negated score, flipped so that they compare like floats, the
    lower half the column. Keys are unique, so they need no stable sort, and numpy sorts and partitions
    plain numbers with SIMD, which it does not do for their places.
    """
    bits = np.subtract(0, scores, dtype=np.float32).view(np.int32)  # 0 - x: 0 and -0 are equal
    upper = bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))
    upper[np.isnan(scores)] = np.iinfo(np.uint32).max
    keys = upper.astype(np.uint64)
    keys <<= _HALF
    keys |= columns.astype(np.uint64)
    return keys


def _columns(keys: NDArray[np.uint64]) -> Ints:
    """The lower halves of keys."""
    return keys.astype(np.uint32).view(np.int32)


def pick(scores: Floats, ids: Ints) -> Floats:
    """`scores[q, ids[q, j]]`, NaN at padding: float32, shape of `ids`."""
    found = np.take_along_axis(scores, np.maximum(ids, 0), axis=1)
    return np.where(ids == PADDING, np.nan, found).astype(np.float32, copy=False)


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


def draws(rows: Sparse, seed: int) -> Floats:
    """Uniform random numbers in [0, 1) that belong to what a query holds: float32 [Q, N] for csr rows [Q, N].

    A number depends on the seed, its column and the columns that its row stores, on nothing else: a query
    draws the same again, in whatever batch it is asked.
    """
    columns = _mixed(np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * _GOLDEN + np.uint64(seed))
    sums = np.concatenate(([np.uint64(0)], np.cumsum(columns[rows.indices], dtype=np.uint64)))
    mixed = _mixed(np.diff(sums[rows.indptr])[:, None] ^ columns)
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of a number depends on all of its bits: the finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ values >> np.uint64(31)


def merge(lists: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, NDArray[np.uint64], list[Floats]]:
    """Union of candidate lists, row by row.

    Gives ids int32 [Q, K] (ascending, each once, padded with -1 at the end), a bit mask of the lists
    that hold each id, uint64 [Q, K], and the scores of each list at those ids (NaN where it has none).
    A list holds an id once, with a score that is a number. Raises ValueError for more than 64 lists.
    """
    if not 0 < len(lists) <= 64:
        raise ValueError(f"a pool is merged from 1 to 64 candidate lists, not from {len(lists)}")
    ids = np.concatenate([part for part, _ in lists], axis=1)
    # Sorting (id, place) as one number is faster than sorting places; padding, unsigned, comes last.
    keys = ids.view(np.uint32).astype(np.uint64) << _HALF | np.arange(ids.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    ids = (keys >> _HALF).astype(np.uint32).view(np.int32)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    width = int((first & (ids != PADDING)).sum(axis=1).max(initial=0))
    slots = np.cumsum(first, axis=1) - 1
    # Padding gets the slot after the last id of its row, which is cut off if there is no such slot.
    out_ids = np.full((len(ids), width + 1), PADDING, np.int32)
    np.put_along_axis(out_ids, slots, ids, axis=1)
    slot_of_place = np.empty_like(slots)
    np.put_along_axis(slot_of_place, _columns(keys), slots, axis=1)
    sources = np.zeros((len(ids), width), np.uint64)
    columns = []
    ends = np.cumsum([part.shape[1] for part, _ in lists])
    for g, (end, (part, scores)) in enumerate(zip(ends, lists, strict=True)):
        column = np.full(out_ids.shape, np.nan, np.float32)
        np.put_along_axis(column, slot_of_place[:, end - part.shape[1] : end], scores, axis=1)
        columns.append(np.ascontiguousarray(column[:, :width]))
        sources |= (~np.isnan(columns[g])).astype(np.uint64) << np.uint64(g)
    return np.ascontiguousarray(out_ids[:, :width]), sources, columns


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
    wanted = np.sort(csr_rows(truth).astype(np.int64) * width + truth.indices)
    asked = np.arange(len(ids), dtype=np.int64)[:, None] * width + ids
    if not len(wanted):
        return np.zeros(ids.shape, bool)
    places = np.minimum(np.searchsorted(wanted, asked), len(wanted) - 1)
    return (wanted[places] == asked) & (ids != PADDING)


def ndcg(scores: Floats, relevant: Bools, wanted: NDArray[np.integer], k: int) -> Doubles:
    """nDCG@k of each row when its K candidates are ranked by `scores`: float64 [Q].

    Binary gains, discount 1 / log2(rank + 1), ideal over min(k, wanted); `relevant` is bool [Q, K] and
    `wanted`, int [Q], counts the relevant ids whether they are among the candidates or not.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    found = np.take_along_axis(relevant, best(scores, k), axis=1)
    gained = found @ discounts[: found.shape[1]]
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))[np.minimum(wanted, k)]
    return np.divide(gained, ideal, out=np.zeros(len(gained)), where=ideal > 0)
