"""Selection of the best entries of each row; only entries that can be among the best are sorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.sort_keys import NOTHING, columns_of, keys_of, leading, scores_of
from hybridrec.types import PADDING, Floats, Ints, Longs

_RANKED = 1 << 16
"""The number of keys ranked at once: with their temporaries these stay in the processor's innermost cache."""
_COMPARED = 1 << 20
"""The number of scores that are compared with the bounds of their rows at once: they stay in the outermost cache."""
_SMALL = 1 << 11
"""The number of scores that are not worth a search for their bounds."""
_GROUPS = 5
"""The number of groups of columns in multiples of k: with fewer groups more entries reach the k-th highest maximum."""
_WIDE = 1 << 9
"""The least number of groups over which maxima of scores are fast."""
_TIED = 8
"""If more than this many times k entries reach the bounds, most of them are tied, and picking them saves nothing."""
_SORTED = 2
"""More than this many times k contenders are partitioned before they are sorted."""
_NARROW = 1 << 12
"""The largest number of columns for short keys: the more bits the column takes, the fewer are left for the score."""


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """Return (ids, scores) of the k best columns of each row of `scores`, [Q, N], from best to worst.

    The ids are int32 [Q, k], the scores float32 [Q, k]. Entries of -inf or NaN are never chosen; rows with fewer than
    k other entries are padded with the id -1 and the score NaN.
    """
    return ranked(best_keys(scores, k), k)


def ranked(keys: NDArray[np.uint64], k: int) -> tuple[Ints, Floats]:
    """Return (ids, scores), the contents of sorted keys: ids int32 [Q, k] and scores float32 [Q, k].

    `keys` are uint64 [Q, m] with m at most k. After the last key, and in place of keys of -inf and NaN, the id is -1
    and the score NaN.
    """
    unpacked = scores_of(keys)
    chosen = unpacked > -np.inf
    out_ids = np.full((len(keys), k), PADDING, np.int32)
    out_scores = np.full((len(keys), k), np.nan, np.float32)
    width = keys.shape[1]
    out_ids[:, :width] = np.where(chosen, columns_of(keys), PADDING)
    out_scores[:, :width] = np.where(chosen, unpacked, np.nan)
    return out_ids, out_scores


def best(scores: Floats, k: int) -> Ints:
    """Return the columns of the k best entries of each row of `scores`, [Q, N], best first: int32 [Q, min(k, N)].

    Of equal entries the one in the lower column comes first, also at the k-th place. Entries of -inf and NaN come last,
    in any order.
    """
    keys = best_keys(scores, k)
    columns = columns_of(keys)
    short = np.flatnonzero((keys == NOTHING).any(axis=1))
    if len(short):
        columns[short] = _sorted(scores[short], columns.shape[1])
    return columns


def order(scores: Floats, k: int | None = None) -> Ints:
    """Return the columns of each row of `scores`, [Q, N], from best to worst: int32 [Q, N].

    With `k`, only the k best columns are returned: int32 [Q, min(k, N)]. Of equal entries the one in the lower column
    comes first, and NaN comes last.
    """
    n = scores.shape[1]
    k = n if k is None else min(k, n)
    if not 0 < 2 * k < n <= _NARROW:
        return _sorted(scores, k)
    best_columns, certain, in_order = leading(scores, k, max(2 * _RANKED // n, 1))
    if not in_order.all():
        columns = best_columns[~in_order]
        keys = keys_of(np.take_along_axis(scores[~in_order], columns, axis=1), columns)
        keys.sort(axis=1)
        best_columns[~in_order] = columns_of(keys)
    if not certain.all():
        best_columns[~certain] = _sorted(scores[~certain], k)
    return best_columns


def _sorted(scores: Floats, k: int) -> Ints:
    """Return the same as `order`, int32 [Q, k], by a sort of the full keys of all entries."""
    n = scores.shape[1]
    best_columns = np.empty((len(scores), k), np.int32)
    step = max(_RANKED // max(n, 1), 1)
    for start in range(0, len(scores), step):
        keys = keys_of(scores[start : start + step], np.arange(n))
        if k < n:
            keys.partition(k - 1, axis=1)
        keys = keys[:, :k]
        keys.sort(axis=1)
        best_columns[start : start + step] = columns_of(keys)
    return best_columns


def best_keys(scores: Floats, k: int, names: Ints | None = None) -> NDArray[np.uint64]:
    """Return the sort keys of the k best entries of each row of `scores`, [Q, N]: uint64 [Q, min(k, N)], best first.

    A key holds the column of its entry, or if `names`, int32[N], are given, the name of that column. Entries of -inf
    and NaN come last; in their place a row may have the key `NOTHING`.
    """
    n = scores.shape[1]
    width = min(k, n)
    keys = np.empty((len(scores), width), np.uint64)
    step = max((_COMPARED if n > _GROUPS * k else _RANKED) // max(n, 1), 1)
    for start in range(0, len(scores), step):
        contenders = _contenders(np.ascontiguousarray(scores[start : start + step], np.float32), width, names)
        if contenders.shape[1] > _SORTED * k:
            contenders.partition(k - 1, axis=1)
            contenders = contenders[:, :k]
        contenders.sort(axis=1)
        keys[start : start + step] = contenders[:, :width]
    return keys


def _contenders(scores: Floats, k: int, names: Ints | None) -> NDArray[np.uint64]:
    """Return the sort keys of some entries of each row, among them its k best: uint64 [Q, M], in any order, M >= k."""
    queries, n = scores.shape
    if n > _GROUPS * k and scores.size > _SMALL:
        cells = np.flatnonzero(scores >= _bound(scores, k)[:, None])
        if len(cells) <= _TIED * k * queries:
            rows = cells // n
            columns = cells - rows * n
            keys = keys_of(scores.reshape(-1).take(cells), columns if names is None else names.take(columns))
            return _in_rows(keys, rows, queries, k)
    return keys_of(scores, np.arange(n) if names is None else names)


def _bound(scores: Floats, k: int) -> Floats:
    """Return a score that at least k entries of each row reach, and few more; or that all numbers reach: float32[Q].

    The columns are split into groups. If the highest entry of k groups reaches a bound, so do k entries: the bound is
    the k-th highest of these maxima. They are fast to compute, and far fewer than the entries. Columns j, j + `groups`,
    j + 2 `groups`, ... belong to one group, so that the maxima of all groups are taken over contiguous memory. Columns
    after the last whole round can only add entries that reach the bound.
    """
    maxima = scores
    for groups in (max(_GROUPS * k, _WIDE), _GROUPS * k):  # at once the groups would be too few for long loops
        rounds = maxima.shape[1] // groups
        if rounds > 1:
            groups = maxima.shape[1] // rounds
            grouped = maxima[:, : rounds * groups].reshape(len(maxima), rounds, groups)
            maxima = np.fmax.reduce(grouped, axis=1, initial=-np.inf)
    if maxima is scores:
        maxima = np.fmax(scores, np.float32(-np.inf))
    place = maxima.shape[1] - k
    return np.maximum(np.partition(maxima, place, axis=1)[:, place], np.finfo(np.float32).min)


def _in_rows(keys: NDArray[np.uint64], rows: Longs, queries: int, k: int) -> NDArray[np.uint64]:
    """Return the keys of each row, uint64 [Q, M] with M >= k, filled up with `NOTHING`.

    `rows`, int64 in the shape of `keys`, has the row of each key, ascending.
    """
    if queries == 1 and len(keys) >= k:
        return keys[None]
    counts = np.bincount(rows, minlength=queries)
    result = np.full((queries, max(int(counts.max()), k)), NOTHING)
    result[rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]] = keys
    return result
