"""Merging of candidate lists into their union, with the rank of every candidate in each list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import PADDING, Floats, Ints, Longs


def merge(lists: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, NDArray[np.uint64], list[Floats], list[Floats]]:
    """Merge candidate lists row by row into their union.

    Each of the `lists` is a pair of ids, int32 [Q, k], best first and padded with -1, and their scores, float32
    [Q, k]. A row of a list has an id at most once, with a score other than NaN. The four results are:

    - the ids of the union, int32 [Q, K], ascending and distinct in each row, padded with -1 at the end;
    - a bit mask for each of these ids, uint64 [Q, K]: bit g is set if list g has the id;
    - for each list, its scores of these ids, float32 [Q, K], NaN where the list lacks the id;
    - for each list, its ranks of these ids, float32 [Q, K], 1 for its first, infinity where the list lacks the id.

    Raises ValueError for fewer than 1 or more than 64 lists.
    """
    if not 0 < len(lists) <= 64:
        raise ValueError(f"a pool is merged from 1 to 64 candidate lists, not from {len(lists)}")
    if len(lists) == 1 and lists[0][0].min(initial=0) >= 0:
        return _alone(*lists[0])
    ids, slots = _union(np.concatenate([proposed for proposed, _ in lists], axis=1))
    sources = np.zeros(ids.shape, np.uint64)
    scores: list[Floats] = []
    ranked: list[Floats] = []
    start = 0
    for g, (proposed, given) in enumerate(lists):
        into = slots[:, start : start + proposed.shape[1]]
        start += proposed.shape[1]
        scores.append(_placed(given, into, ids.shape, np.nan))
        ranked.append(_placed(np.arange(1, proposed.shape[1] + 1, dtype=np.float32), into, ids.shape, np.inf))
        sources |= (scores[g] == scores[g]).astype(np.uint64) << np.uint64(g)
    return ids, sources, scores, ranked


def _alone(ids: Ints, scores: Floats) -> tuple[Ints, NDArray[np.uint64], list[Floats], list[Floats]]:
    """Return the results of `merge` for a single list without padding: its ids are the union, in another order."""
    order = np.argsort(ids, axis=1)
    return (
        np.take_along_axis(ids, order, axis=1),
        np.ones(ids.shape, np.uint64),
        [np.take_along_axis(scores, order, axis=1)],
        [(order + 1).astype(np.float32)],
    )


def _placed(values: Floats, slots: Longs, shape: tuple[int, int], fill: float) -> Floats:
    """Return a float32 array of this shape that has the values at their slots and `fill` everywhere else.

    `slots`, int64 in the shape of `values`, are the flat indices that `_union` returns; values at padding are dropped.
    """
    flat = np.full(shape[0] * shape[1] + 1, fill, np.float32)  # the extra last entry takes the padding
    flat[slots] = values
    return flat[:-1].reshape(shape)


def _union(ids: Ints) -> tuple[Ints, Longs]:
    """Return (union, slots) of `ids`, int32 [Q, m]: the distinct ids of each row, and their places there.

    `union`, int32 [Q, K], has the distinct ids of each row, ascending and padded with -1 at the end. `slots`, int64
    [Q, m], has for each of the `ids` its flat index in `union`. The slot of padding is Q times K, one after the last
    flat index.
    """
    queries, width = ids.shape
    # One sort of numbers that hold the id in their upper bits and the position in the row in the lower ones replaces
    # an argsort, which is slower; 32 bits sort faster than 64. The 2 keeps every id below the pattern of padding.
    half = max(width - 1, 0).bit_length()
    number: type[np.unsignedinteger] = np.uint32 if int(ids.max(initial=0)) + 2 << half <= 1 << 32 else np.uint64
    shift = number(half)
    keys = ids.astype(number)  # -1 becomes the largest number: padding comes last
    keys <<= shift
    keys |= np.arange(width, dtype=number)
    keys.sort(axis=1)
    ordered = keys >> shift
    padding = ordered == number(np.iinfo(number).max) >> shift
    new = np.ones(ids.shape, bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    any_padding = padding.any()
    if any_padding:
        new &= ~padding
    ends = np.cumsum(new, axis=1, dtype=np.int32)
    most = int(ends.max(initial=0))
    union = np.full(queries * most + 1, PADDING, np.int32)
    at = ends + (np.arange(queries) * most - 1)[:, None]
    if any_padding:
        at[padding] = queries * most
    union[at] = ordered  # repeats of an id write the same value to the same slot
    # The lower bits are the positions before the sort: they scatter the slots back into the order of `ids`.
    slots = np.empty(ids.size, np.int64)
    keys &= number((1 << half) - 1)
    slots[keys.astype(np.int64) + (np.arange(queries) * width)[:, None]] = at
    return union[:-1].reshape(queries, most), slots.reshape(ids.shape)
