"""The best entries of each row: only what contends for a place is ranked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.sort_keys import HALF, NEVER, columns_of, keys_of, leading, scores_of
from hybridrec.types import PADDING, Floats, Ints, Longs

_RANKED = 1 << 16
"""Keys that are ranked at once: with their temporaries they stay in the processor's nearest cache."""
_NARROW = 1 << 12
"""Columns up to which short keys, which hold the column beside the score, keep enough of the score."""


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """The k best columns of each row: ids int32 [Q, k] and scores float32 [Q, k], best first.

    Entries of -inf or NaN are never chosen; rows with fewer than k others are padded with (-1, NaN).
    """
    return ranked(best_keys(scores, k), k)


def ranked(keys: NDArray[np.uint64], k: int) -> tuple[Ints, Floats]:
    """Sorted keys, [Q, at most k], as ids int32 [Q, k] and scores float32 [Q, k], padded as those of `top_k`."""
    found = scores_of(keys)
    chosen = found > -np.inf
    out_ids = np.full((len(keys), k), PADDING, np.int32)
    out_scores = np.full((len(keys), k), np.nan, np.float32)
    width = keys.shape[1]
    out_ids[:, :width] = np.where(chosen, columns_of(keys), PADDING)
    out_scores[:, :width] = np.where(chosen, found, np.nan)
    return out_ids, out_scores


def best(scores: Floats, k: int) -> Ints:
    """Columns of the k best entries of each row (all, if there are fewer), best first: int32 [Q, min(k, N)].

    Exact, also where the k-th place is tied. Entries of -inf and NaN come last, in any order.
    """
    return columns_of(best_keys(scores, k))


def order(scores: Floats, k: int | None = None) -> Ints:
    """Columns of each row from best to worst, NaN last, ties in column order: int32 [Q, N], or the first k of them."""
    n = scores.shape[1]
    k = n if k is None else min(k, n)
    if not 0 < 2 * k < n <= _NARROW:
        return _sorted(scores, k)
    found, certain, in_order = leading(scores, k, max(2 * _RANKED // n, 1))
    if not in_order.all():
        columns = found[~in_order]
        keys = keys_of(np.take_along_axis(scores[~in_order], columns, axis=1), columns)
        keys.sort(axis=1)
        found[~in_order] = columns_of(keys)
    if not certain.all():
        found[~certain] = _sorted(scores[~certain], k)
    return found


def _sorted(scores: Floats, k: int) -> Ints:
    """The first k columns in the order of the keys of all entries."""
    n = scores.shape[1]
    found = np.empty((len(scores), k), np.int32)
    step = max(_RANKED // max(n, 1), 1)
    for start in range(0, len(scores), step):
        keys = keys_of(scores[start : start + step], np.arange(n))
        if k < n:
            keys.partition(k - 1, axis=1)
        keys = keys[:, :k]
        keys.sort(axis=1)
        found[start : start + step] = columns_of(keys)
    return found


def best_keys(scores: Floats, k: int, names: Ints | None = None) -> NDArray[np.uint64]:
    """Keys of the k best entries of each row (all, if there are fewer), best first: uint64 [Q, min(k, N)].

    In the keys stand the columns, or the names of the columns, int32[N], where there are any.
    """
    n = scores.shape[1]
    if k >= n:
        keys = keys_of(scores, np.arange(n) if names is None else names)
    else:
        keys = np.empty((len(scores), k), np.uint64)
        # What is ranked of a row, not the row itself, is what is read again and again.
        step = max(_RANKED // (n // _rounds(n, k)), 1)
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            contenders = _contenders(scores[rows], k, names)
            contenders.partition(k - 1, axis=1)
            keys[rows] = contenders[:, :k]
    keys.sort(axis=1)
    return keys


def _contenders(scores: Floats, k: int, names: Ints | None) -> NDArray[np.uint64]:
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
        return keys_of(scores, np.arange(n) if names is None else names)
    members = leaders[:, None] + np.arange(0, rounds * groups, groups)[:, None]
    rest = np.broadcast_to(np.arange(rounds * groups, n), (len(scores), n - rounds * groups))
    columns = np.concatenate((members.reshape(len(scores), -1), rest), axis=1)
    # Twice as fast as take_along_axis, which makes an index of the rows, too.
    values = scores.ravel().take(columns + np.arange(0, scores.size, n)[:, None])
    return keys_of(values, columns if names is None else names.take(columns))


def _leaders(maxima: Floats, k: int) -> Longs | None:
    """The k groups with the highest maxima in each row, [Q, k]; None where ties leave open which they are."""
    groups = maxima.shape[1]
    last = np.partition(maxima, groups - k, axis=1)[:, groups - k, None]
    found = np.flatnonzero(maxima >= last)
    if len(found) == k * len(maxima):  # no row has fewer, so each has k
        return found.reshape(-1, k) - np.arange(0, maxima.size, groups)[:, None]
    keys = keys_of(maxima, np.arange(groups))
    keys.partition(k, axis=1)
    worst, next_best = keys[:, :k].max(axis=1) >> HALF, keys[:, k] >> HALF
    if ((worst == next_best) & (worst < NEVER)).any():  # which of the tied groups has the lowest id is unknown
        return None
    return columns_of(keys[:, :k]).astype(np.int64)


def _rounds(n: int, k: int) -> int:
    """Columns in a group: 1 where there would be nearly as many groups as columns."""
    rounds = int(np.sqrt(n / k) / 2)
    return rounds if rounds >= 3 else 1
