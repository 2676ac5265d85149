"""The best inner products without all of them: long vectors first, until no other can matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.scratch import multiplied
from hybridrec.stages.kernels.sort_keys import scores_of
from hybridrec.stages.kernels.topk import best_keys
from hybridrec.types import Doubles, Floats, Ints, Longs

_HEAD = 6 << 10
"""Vectors that every query is multiplied with: few enough for the cache, enough for a bound that leaves out most."""
_PIECE = 32 << 10
"""Vectors that are looked at next, at most: they are copied, as they do not lie side by side."""
_PRODUCTS = 1 << 20
"""Inner products that exist at once: they stay in the cache while the best are taken."""
_ASKED = 16
"""Queries that show whether a search of the long ones pays; of few queries it is taken for granted."""
_PAYS = 0.5
"""Share of all vectors up to which it does: the best of each piece have to be merged."""
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""Relative error of an inner product for each dimension, at most; it is that of the product of the lengths."""
_NOTHING = np.uint64(np.iinfo(np.uint64).max)
"""A key that comes after those of all scores; its score is NaN, its id the padding."""


class Exclusion(Protocol):
    """What may not be chosen for Q queries."""

    def take(self, rows: NDArray[np.integer] | slice) -> Self:
        """For the given queries."""
        ...

    def arranged(self, order: Ints, places: Ints) -> Self:
        """With `order[j]` in place j, `places` being the way back: N or more for what is not in `order`."""
        ...

    def mask(self, scores: Floats, start: int = 0) -> None:
        """Set the excluded entries of scores of the places from `start` on, float32 [Q, n], to -inf."""
        ...


@dataclass(frozen=True, slots=True)
class Longest:
    """Vectors in the order of their lengths.

    No inner product of a query q with a vector v is above |q| |v| (Cauchy and Schwarz). Once k products are
    known, vectors so short that they cannot reach the k-th of them are left out, and the result is exact.
    The vectors of factorisations differ much in length, as popular items have long ones. After Teflioudi,
    Gemulla and Mykytiuk, "LEMP: Fast Retrieval of Large Entries in a Matrix Product" (2015).

    vectors: [N, D]
    order: int32[n], their ids, the longest first; those with NaN in them, which nothing finds, are not there
    places: int32[N], where in `order` each id is, N for those that are not there
    shortness: float64[n], minus their lengths, ascending: bounds are looked up in it
    head: [H, D], the longest, side by side
    """

    vectors: Floats
    order: Ints
    places: Ints
    shortness: Doubles
    head: Floats

    @classmethod
    def of(cls, vectors: Floats) -> Self | None:
        """Of [N, D]; None where there are too few for it to pay."""
        if len(vectors) < 4 * _HEAD:
            return None
        shortness = -np.sqrt(np.einsum("nd,nd->n", vectors, vectors)).astype(np.float64)
        order = np.argsort(shortness, kind="stable")[: np.count_nonzero(~np.isnan(shortness))].astype(np.int32)
        places = np.full(len(vectors), len(vectors), np.int32)
        places[order] = np.arange(len(order))
        return cls(vectors, order, places, shortness[order], vectors[order[:_HEAD]])

    def search(self, queries: Floats, k: int, exclude: Exclusion) -> NDArray[np.uint64] | None:
        """Keys of the k best ids for each query, [Q, D], best first: uint64 [Q, k]; None where it does not pay."""
        # Lengths and products are rounded; what is just too short by these may not be left out.
        reach = np.linalg.norm(queries, axis=1).astype(np.float64) * (1 + _ROUNDING * queries.shape[1])
        rows = np.flatnonzero(reach >= 0)
        if 8 * k > len(self.head) or self._futile(queries, reach, rows, k):
            return None
        keys = np.full((len(queries), k), _NOTHING)
        barred = exclude.arranged(self.order, self.places)
        start, stop = 0, len(self.head)
        while len(rows):
            piece = self.head if not start else self.vectors[self.order[start:stop]]
            names = self.order[start:stop]
            for part in _batches(rows, len(piece)):
                products = multiplied(queries[part], piece)
                barred.take(part).mask(products, start)
                keys[part] = _merged(keys[part], best_keys(products, k, names))
            needed = self._needed(scores_of(keys[rows, -1]), reach[rows])
            rows, needed = rows[needed > stop], needed[needed > stop]
            start, stop = stop, min(stop + min(stop, _PIECE), int(needed.max(initial=0)))
        return keys

    def _futile(self, queries: Floats, reach: Doubles, rows: Longs, k: int) -> bool:
        """Whether some of these queries, asked without exclusions, need so many that one matrix product costs less."""
        if len(rows) < 8 * _ASKED:
            return False
        some = rows[:: len(rows) // _ASKED]
        last = np.partition(multiplied(queries[some], self.head), -k, axis=1)[:, -k]
        return float(self._needed(last, reach[some]).mean()) > _PAYS * len(self.order)

    def _needed(self, last: Floats, reach: Doubles) -> Longs:
        """int64[Q]: how many of the longest could come before the last of the best so far; all where there are few."""
        few = ~(last > 0)  # none, or not a positive one: any vector reaches that
        return np.searchsorted(self.shortness, np.where(few, np.inf, -last / np.where(few, 1, reach)), side="right")


def _batches(rows: Longs, width: int) -> Iterator[Longs]:
    """The rows in batches of which `width` products each stay in the cache."""
    step = max(_PRODUCTS // width, 1)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _merged(keys: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The first of both, as many as there are in `keys`, sorted."""
    both = np.concatenate((keys, more), axis=1)
    both.sort(axis=1)
    return both[:, : keys.shape[1]]
