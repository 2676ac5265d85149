"""Scores as numbers that sort: a key holds a score and its column, and ascends from best to worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import Floats, Ints

HALF = np.uint64(32)
"""Bits of a column in a key; those of its score stand above them."""
NEVER = np.uint64(0xFF80_0000)
"""The upper half of the key of -inf; NaN lies above."""


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
