"""Scores as numbers that sort: a key holds a score and its column, and ascends from best to worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.scratch import scratch
from hybridrec.types import Bools, Floats, Ints

HALF = np.uint64(32)
"""Bits of a column in a key; those of its score stand above them."""
NEVER = np.uint64(0xFF80_0000)
"""The upper half of the key of -inf; NaN lies above."""
_LEAST = np.int32(-0x7FC0_0000)
"""Below every short key of a number, above those of NaN with a sign."""


def keys_of(scores: Floats, columns: NDArray[np.integer]) -> NDArray[np.uint64]:
    """One number per entry that ascends from best to worst, ties in column order, NaN last.

    The upper half holds the bits of the negated score, flipped so that they compare like floats, the
    lower half the column. Keys are unique, so they need no stable sort, and numpy sorts and partitions
    plain numbers with SIMD, which it does not do for their places.
    """
    bits = np.subtract(0, scores, dtype=np.float32).view(np.int32)  # 0 - x: 0 and -0 are equal
    upper = bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))
    upper[np.isnan(scores)] = np.iinfo(np.uint32).max
    keys = upper.astype(np.uint64)
    keys <<= HALF
    keys |= columns.astype(np.uint64)
    return keys


def columns_of(keys: NDArray[np.uint64]) -> Ints:
    """The lower halves of keys."""
    return keys.astype(np.uint32).view(np.int32)


def scores_of(keys: NDArray[np.uint64]) -> Floats:
    """What `keys_of` was made of: the upper halves as scores."""
    upper = (keys >> HALF).astype(np.uint32)
    negative = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return np.subtract(0, negative, dtype=np.float32)


def leading(scores: Floats, k: int, step: int) -> tuple[Ints, Bools, Bools]:
    """The k best columns of each row, int32 [Q, k]; whether it is these for certain, and in this order, bool [Q] each.

    A key of half the length has room for the column only in place of the last bits of the score, and is
    sorted in a third of the time. What differs in no other bits is uncertain: which are the k best where it
    is the k-th entry and the next, else their order. `step` rows are ranked at once, in `scratch`: the scores
    are not to lie there.
    """
    n = scores.shape[1]
    last = np.int32((1 << int(n - 1).bit_length()) - 1)
    columns, certain, sorted_ = np.empty((len(scores), k), np.int32), *np.empty((2, len(scores)), bool)
    for start in range(0, len(scores), step):
        rows = slice(start, min(start + step, len(scores)))
        keys, flips = scratch(2, rows.stop - start, n).view(np.int32)
        np.subtract(0, scores[rows], out=keys.view(np.float32), dtype=np.float32)
        np.right_shift(keys, 31, out=flips)
        flips &= np.iinfo(np.int32).max
        keys ^= flips  # compares like floats, NaN with its sign
        keys &= ~last
        keys |= np.arange(n, dtype=np.int32)
        keys.sort(axis=1)
        np.bitwise_and(keys[:, :k], last, out=columns[rows])
        apart = keys[:, :k] | last < keys[:, 1 : k + 1]
        # A NaN with a sign comes first.
        certain[rows] = apart[:, -1] & (keys[:, 0] >= _LEAST)
        sorted_[rows] = apart.all(axis=1)
    return columns, certain, sorted_
