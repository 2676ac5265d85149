"""Selection of the best entries of each row; only entries that can be among the best are sorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.sort_keys import HALF, NEVER, columns_of, keys_of, leading, scores_of
from hybridrec.types import PADDING, Floats, Ints, Longs

_RANKED = 1 << 16
"""The number of keys ranked at once: with their temporaries these stay in the processor's innermost cache."""
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
    return columns_of(best_keys(scores, k))


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

    A key holds the column of its entry, or if `names`, int32[N], are given, the name of that column.
    """
    n = scores.shape[1]
    if k >= n:
        keys = keys_of(scores, np.arange(n) if names is None else names)
    else:
        keys = np.empty((len(scores), k), np.uint64)
        # The contenders of a row, not its scores, are read repeatedly: they determine the size of a block.
        step = max(_RANKED // (n // _rounds(n, k)), 1)
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            contenders = _contenders(scores[rows], k, names)
            contenders.partition(k - 1, axis=1)
            keys[rows] = contenders[:, :k]
    keys.sort(axis=1)
    return keys


def _contenders(scores: Floats, k: int, names: Ints | None) -> NDArray[np.uint64]:
    """Return the sort keys of some entries of each row, among them its k best: uint64 [Q, M], in any order.

    The columns are split into groups, and the maximum of each group is computed. The k best entries are in the k groups
    with the highest maxima, since an entry of any other group is below k of the maxima. Maxima are fast to compute, and
    few entries are left to sort. Columns j, j + `groups`, j + 2 `groups`, ... belong to one group, so that the maxima
    of all groups are taken over contiguous memory. The last columns, which do not fill a round, are all kept.
    """
    n = scores.shape[1]
    rounds = _rounds(n, k)
    groups = n // rounds
    grouped = scores[:, : rounds * groups].reshape(len(scores), rounds, groups)
    leaders = None if rounds == 1 else _leaders(np.fmax.reduce(grouped, axis=1, initial=-np.inf), k)
    if leaders is None:
        return keys_of(scores, np.arange(n) if names is None else names)
    members = leaders[:, None] + np.arange(0, rounds * groups, groups)[:, None]
    rest = np.broadcast_to(np.arange(rounds * groups, n), (len(scores), n - rounds * groups))
    columns = np.concatenate((members.reshape(len(scores), -1), rest), axis=1)
    # Twice as fast as take_along_axis, which also builds an index of the rows.
    values = scores.ravel().take(columns + np.arange(0, scores.size, n)[:, None])
    return keys_of(values, columns if names is None else names.take(columns))


def _leaders(maxima: Floats, k: int) -> Longs | None:
    """Return the k groups with the highest maxima in each row: int64 [Q, k], in any order.

    `maxima`, float32 [Q, G], has the maximum of each of the G groups. Returns None if equal maxima leave it open which
    k groups are the highest.
    """
    groups = maxima.shape[1]
    last = np.partition(maxima, groups - k, axis=1)[:, groups - k, None]
    leading_groups = np.flatnonzero(maxima >= last)
    if len(leading_groups) == k * len(
        maxima
    ):  # each row has at least k, so this means exactly k, without a tie at the k-th place
        return leading_groups.reshape(-1, k) - np.arange(0, maxima.size, groups)[:, None]
    keys = keys_of(maxima, np.arange(groups))
    keys.partition(k, axis=1)
    worst, next_best = keys[:, :k].max(axis=1) >> HALF, keys[:, k] >> HALF
    if ((worst == next_best) & (worst < NEVER)).any():  # any of the tied groups may hold the lowest id
        return None
    return columns_of(keys[:, :k]).astype(np.int64)


def _rounds(n: int, k: int) -> int:
    """Return the number of columns in a group, for n columns and the k best entries.

    It is 1 if there would be nearly as many groups as columns.
    """
    rounds = int(np.sqrt(n / k) / 2)
    return rounds if rounds >= 3 else 1
