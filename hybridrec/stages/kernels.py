"""Every array trick of the engine: pure functions over blocks of queries, nothing else knows one.

Shapes: Q queries, N ids in the vocabulary, K candidates, k wanted. Ids are int32 with -1 as padding,
scores float32 with NaN where there is none. Ties go to the lower id, on every machine alike.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.arrays import PADDING, Bools, Doubles, Floats, Ints, Longs, Sparse

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
    "strongest",
    "top_k",
    "top_products",
    "zscore",
]


def csr_rows(matrix: Sparse) -> Ints:
    """The row of each stored entry of a csr matrix: int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """The k best columns of each row: ids int32 [Q, k] and scores float32 [Q, k], best first.

    Entries of -inf or NaN are never chosen; rows with fewer than k others are padded with (-1, NaN).
    """
    keys = _best(scores, k)
    found = _scores(keys)
    chosen = found > -np.inf
    out_ids = np.full((len(scores), k), PADDING, np.int32)
    out_scores = np.full((len(scores), k), np.nan, np.float32)
    width = keys.shape[1]
    out_ids[:, :width] = np.where(chosen, _columns(keys), PADDING)
    out_scores[:, :width] = np.where(chosen, found, np.nan)
    return out_ids, out_scores


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


def best(scores: Floats, k: int) -> Ints:
    """Columns of the k best entries of each row (all, if there are fewer), best first: int32 [Q, min(k, N)].

    Exact, also where the k-th place is tied. Entries of -inf and NaN come last, in any order.
    """
    return _columns(_best(scores, k))


def strongest(matrix: Sparse, k: int) -> Sparse:
    """A csr matrix with only the k largest stored entries of each row, in column order; ties go to the lower column."""
    rows = csr_rows(matrix)
    by_value = np.lexsort((matrix.indices, -matrix.data, rows))
    places = np.arange(len(rows)) - matrix.indptr[rows]
    kept = np.sort(by_value[places < k])
    indptr = np.concatenate(([0], np.cumsum(np.minimum(np.diff(matrix.indptr), k))))
    result = csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)
    result.sort_indices()
    return result


def order(scores: Floats, k: int | None = None) -> Ints:
    """Columns of each row from best to worst, NaN last, ties in column order: int32 [Q, N], or the first k of them."""
    n = scores.shape[1]
    k = n if k is None else min(k, n)
    found = np.empty((len(scores), k), np.int32)
    step = max(_RANKED // max(n, 1), 1)
    for start in range(0, len(scores), step):
        keys = _keys(scores[start : start + step], np.arange(n))
        if k < n:
            keys.partition(k - 1, axis=1)
        keys = keys[:, :k]
        keys.sort(axis=1)
        found[start : start + step] = _columns(keys)
    return found


def _best(scores: Floats, k: int) -> NDArray[np.uint64]:
    """Keys of the k best entries of each row (all, if there are fewer), best first: uint64 [Q, min(k, N)]."""
    n = scores.shape[1]
    if k >= n:
        keys = _keys(scores, np.arange(n))
    else:
        keys = np.empty((len(scores), k), np.uint64)
        # What is ranked of a row, not the row itself, is what is read again and again.
        step = max(_RANKED // (n // _rounds(n, k)), 1)
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            contenders = _contenders(scores[rows], k)
            contenders.partition(k - 1, axis=1)
            keys[rows] = contenders[:, :k]
    keys.sort(axis=1)
    return keys


def _contenders(scores: Floats, k: int) -> NDArray[np.uint64]:
    """Keys of some entries of each row, the k best among them.

    Every `groups`-th column makes a group. The k best entries lie in the k groups with the highest
    maxima: any other group stands behind k groups with a better entry each. Maxima are cheap, ranking
    is not, and this leaves little to rank.
    """
    n = scores.shape[1]
    rounds = _rounds(n, k)
    groups = n // rounds
    grouped = scores[:, : rounds * groups].reshape(len(scores), rounds, groups)
    leaders = None if rounds == 1 else _leaders(np.fmax.reduce(grouped, axis=1, initial=-np.inf), k)
    if leaders is None:
        return _keys(scores, np.arange(n))
    members = leaders[:, None] + np.arange(0, rounds * groups, groups)[:, None]
    rest = np.broadcast_to(np.arange(rounds * groups, n), (len(scores), n - rounds * groups))
    columns = np.concatenate((members.reshape(len(scores), -1), rest), axis=1)
    return _keys(np.take_along_axis(scores, columns, axis=1), columns)


def _leaders(maxima: Floats, k: int) -> Longs | None:
    """The k groups with the highest maxima in each row, [Q, k]; None where ties leave open which they are."""
    groups = maxima.shape[1]
    last = np.partition(maxima, groups - k, axis=1)[:, groups - k, None]
    found = np.flatnonzero(maxima >= last)
    if len(found) == k * len(maxima):  # no row has fewer, so each has k
        return found.reshape(-1, k) - np.arange(0, maxima.size, groups)[:, None]
    keys = _keys(maxima, np.arange(groups))
    keys.partition(k, axis=1)
    worst, next_best = keys[:, :k].max(axis=1) >> _HALF, keys[:, k] >> _HALF
    if ((worst == next_best) & (worst < _NEVER)).any():  # which of the tied groups has the lowest id is unknown
        return None
    return _columns(keys[:, :k]).astype(np.int64)


def _rounds(n: int, k: int) -> int:
    """Columns in a group: 1 where there would be nearly as many groups as columns."""
    rounds = int(np.sqrt(n / k) / 2)
    return rounds if rounds >= 3 else 1


class _Scratch(threading.local):
    """Memory of a thread that is written over and over: fresh pages cost as much as what is computed into them."""

    buffer: Floats = np.empty(0, np.float32)

    def of(self, size: int) -> Floats:
        """float32 [size], with anything in it."""
        if len(self.buffer) < size:
            self.buffer = np.empty(size, np.float32)
        return self.buffer[:size]


_scratch = _Scratch()
_CACHED = 1 << 17
"""Entries of a block that stays in the processor's nearest cache."""
_RANKED = 1 << 16
"""Keys that are ranked at once: with their temporaries they stay there, too."""
_FLAGGED = 1 << 21
"""Flags, of a byte each, that exist at once."""
_BUFFERED = 1 << 23
"""Products that exist at once: they stay in its farthest cache, and are many enough for a fast matrix product."""
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


def _scores(keys: NDArray[np.uint64]) -> Floats:
    """What `_keys` was made of: the upper halves as scores."""
    upper = (keys >> _HALF).astype(np.uint32)
    negative = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return np.subtract(0, negative, dtype=np.float32)


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


def merge(lists: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, NDArray[np.uint64], list[Floats], list[Floats]]:
    """Union of candidate lists, row by row.

    Gives ids int32 [Q, K] (ascending, each once, padded with -1 at the end), a bit mask of the lists
    that hold each id, uint64 [Q, K], and of each list its scores at those ids (NaN where it has none)
    and its ranks of them (1 for its first, infinity where it has none), float32 [Q, K].
    A list holds an id once, with a score that is a number. Raises ValueError for more than 64 lists.
    """
    if not 0 < len(lists) <= 64:
        raise ValueError(f"a pool is merged from 1 to 64 candidate lists, not from {len(lists)}")
    ids, slots = _union(np.concatenate([part for part, _ in lists], axis=1))
    sources = np.zeros(ids.shape, np.uint64)
    scores: list[Floats] = []
    ranked: list[Floats] = []
    start = 0
    for g, (part, given) in enumerate(lists):
        into = slots[:, start : start + part.shape[1]]
        start += part.shape[1]
        scores.append(_placed(given, into, ids.shape, np.nan))
        ranked.append(_placed(np.arange(1, part.shape[1] + 1, dtype=np.float32), into, ids.shape, np.inf))
        sources |= (scores[g] == scores[g]).astype(np.uint64) << np.uint64(g)
    return ids, sources, scores, ranked


def _placed(values: Floats, slots: Longs, shape: tuple[int, int], fill: float) -> Floats:
    """An array of this shape with the values at their slots of `_union`, and `fill` elsewhere."""
    flat = np.full(shape[0] * shape[1] + 1, fill, np.float32)  # the last is where padding goes
    flat[slots] = values
    return flat[:-1].reshape(shape)


def _union(ids: Ints) -> tuple[Ints, Longs]:
    """The distinct ids of each row, ascending, padded with -1 at the end, int32 [Q, K]; and the slot of each
    given id among all of these, int64, in the shape of `ids`; padding has the one after the last.
    """
    queries, width = ids.shape
    # Sorting (id, place) as one number is faster than sorting places, and the shorter the numbers the faster.
    half = max(width - 1, 0).bit_length()
    number: type[np.unsignedinteger] = np.uint32 if int(ids.max(initial=0)) + 2 << half <= 1 << 32 else np.uint64
    shift = number(half)
    keys = ids.astype(number)  # padding becomes the largest of all and comes last
    keys <<= shift
    keys |= np.arange(width, dtype=number)
    keys.sort(axis=1)
    found = keys >> shift
    padding = found == number(np.iinfo(number).max) >> shift
    new = np.ones(ids.shape, bool)
    np.not_equal(found[:, 1:], found[:, :-1], out=new[:, 1:])
    some = padding.any()
    if some:
        new &= ~padding
    ends = np.cumsum(new, axis=1, dtype=np.int32)
    most = int(ends.max(initial=0))
    union = np.full(queries * most + 1, PADDING, np.int32)
    at = ends + (np.arange(queries) * most - 1)[:, None]
    if some:
        at[padding] = queries * most
    union[at] = found  # the same id more than once at the same place
    slots = np.empty(ids.size, np.int64)
    keys &= number((1 << half) - 1)
    slots[keys.astype(np.int64) + (np.arange(queries) * width)[:, None]] = at
    return union[:-1].reshape(queries, most), slots.reshape(ids.shape)


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
    known = ~np.isnan(values)
    counts = known.sum(axis=1)
    width = int(counts.max(initial=0))
    filled = np.arange(width) < counts[:, None]
    packed = np.full(filled.shape, np.nan, np.float32)  # often a third of the row: what one of many lists holds
    packed[filled] = values[known]
    flat = order(packed) + (np.arange(len(values)) * width)[:, None]
    packed.reshape(-1)[flat] = np.arange(1, width + 1, dtype=np.float32)
    result = np.full(values.shape, np.nan, np.float32)
    result[known] = packed[filled]
    return result


def hits(ids: Ints, truth: Sparse) -> Bools:
    """bool, shape of `ids`: whether `truth[q, ids[q, j]]` is set; false at padding."""
    width = truth.shape[1]
    result = np.empty(ids.shape, bool)
    step = max(_FLAGGED // max(width, 1), 1)
    flags = np.zeros((min(step, len(ids)), width + 1), bool)  # the last column is where padding looks: never set
    for start in range(0, len(ids), step):
        wanted = truth[start : start + step]
        places = csr_rows(wanted), wanted.indices
        flags[places] = True
        result[start : start + step] = np.take_along_axis(flags[: wanted.shape[0]], ids[start : start + step], axis=1)
        flags[places] = False
    return result


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
