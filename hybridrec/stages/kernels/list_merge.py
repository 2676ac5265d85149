"""The union of candidate lists, with the place of every candidate in each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import PADDING, Floats, Ints, Longs


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
