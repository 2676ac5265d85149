"""Sort keys: integers that hold a score and its column, ascending from best to worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.scratch import scratch
from hybridrec.types import Bools, Floats, Ints

HALF = np.uint64(32)
"""The number of bits of the column in a key; the bits of the score are above them."""
NOTHING = np.uint64(np.iinfo(np.uint64).max)
"""A key that stands for padding: it sorts after the keys of all scores, and unpacks to the score NaN and the id -1."""
_LEAST = np.int32(-0x7FC0_0000)
"""A bound below the short keys of all numbers, and above those of NaN with the sign bit set."""


def keys_of(scores: Floats, columns: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return a sort key for each score: uint64, in the shape of `scores`.

    Keys ascend from the best score to the worst; equal scores are in the order of `columns`, and NaN comes last.
    `columns`, int in the shape of `scores` or of one row, are the numbers that the keys hold beside the scores.

    The upper half of a key has the bits of the negated score, the lower half the column. An IEEE float is stored as
    sign and magnitude. If the sign bit of positive numbers and all bits of negative numbers are flipped, the bits
    compare as unsigned integers in the same order as the floats. Keys are distinct, so they need no stable sort. Numpy
    sorts and partitions integers with SIMD instructions, but not their indices (argsort).
    """
    bits = np.subtract(0, scores, dtype=np.float32).view(np.int32)  # 0 - x instead of -x: 0 and -0 get equal keys
    upper = bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))
    upper[np.isnan(scores)] = np.iinfo(np.uint32).max
    keys = upper.astype(np.uint64)
    keys <<= HALF
    keys |= columns.astype(np.uint64)
    return keys


def columns_of(keys: NDArray[np.uint64]) -> Ints:
    """Return the columns that `keys_of` put into the lower halves of keys: int32, in the shape of `keys`."""
    return keys.astype(np.uint32).view(np.int32)


def scores_of(keys: NDArray[np.uint64]) -> Floats:
    """Return the scores that `keys_of` put into the upper halves of keys: float32, in the shape of `keys`."""
    upper = (keys >> HALF).astype(np.uint32)
    negative = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return np.subtract(0, negative, dtype=np.float32)


def leading(scores: Floats, k: int, step: int) -> tuple[Ints, Bools, Bools]:
    """Return the k best columns of each row of `scores`, [Q, N], by a fast sort that may be wrong in some rows.

    The first result has the columns: int32 [Q, k], best first. The second, bool [Q], is true for rows whose set of
    columns is certainly right. The third, bool [Q], is true for rows whose order of columns is certainly right.

    It sorts keys of 32 bits, in which the column replaces the lowest bits of the score; this takes a third of the time
    that full keys take. Scores that differ only in those bits may be out of order. If these are the k-th best score and
    the next, the set of columns is uncertain; otherwise only the order is. `step` is the number of rows that are sorted
    at once in the buffer of `scratch`; `scores` must not lie in that buffer.
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
        keys ^= flips  # now compares like a float, NaN by its sign
        keys &= ~last
        keys |= np.arange(n, dtype=np.int32)
        keys.sort(axis=1)
        np.bitwise_and(keys[:, :k], last, out=columns[rows])
        # Neighbours differ in the bits of the score: even the largest column leaves the key below the next one.
        apart = keys[:, :k] | last < keys[:, 1 : k + 1]
        # A NaN with the sign bit set sorts first and would count among the best: such a row is uncertain.
        certain[rows] = apart[:, -1] & (keys[:, 0] >= _LEAST)
        sorted_[rows] = apart.all(axis=1)
    return columns, certain, sorted_
