"""Exact maximum inner product search: longer vectors first, until no shorter vector can be among the best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.scratch import multiplied
from hybridrec.stages.kernels.sort_keys import NOTHING, scores_of
from hybridrec.stages.kernels.topk import best_keys
from hybridrec.types import Doubles, Floats, Ints, Longs

_HEAD = 6 << 10
"""The number of vectors multiplied with every query: they fit the cache, and their bound rules out most others."""
_PIECE = 32 << 10
"""The largest number of vectors in each further step of a search; they are copied, as they are not contiguous."""
_PRODUCTS = 1 << 20
"""The number of inner products computed at once: they stay in the cache while the best are selected."""
_ASKED = 16
"""The number of queries sampled to decide if the search pays, from a batch of at least eight times as many."""
_PAYS = 0.5
"""The search pays if it needs at most this share of all vectors: merging the best of each piece costs time, too."""
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""Bound per dimension on the rounding error of an inner product, relative to the product of the lengths."""


class Exclusion(Protocol):
    """The methods that the kernels need of an exclusion, which holds the ids that are excluded for each of Q queries.

    `Exclude` implements it; the kernels do not import that class, as it lies in a layer above them.
    """

    def take(self, rows: NDArray[np.integer] | slice) -> Self:
        """Return the exclusion for the queries in these `rows`: indices or a slice."""
        ...

    def arranged(self, order: Ints, places: Ints) -> Self:
        """Return the same exclusion after a permutation of the ids: its column j stands for the id `order[j]`.

        `order`, int32[n], has any n of the N ids. `places`, int32[N], is its inverse: the index of each id in `order`,
        or any number of at least n for an id that is not in `order`.
        """
        ...

    def narrow(self, most: int) -> Iterator[tuple[Longs, Ints]]:
        """Yield (rows, remaining ids) for each group of queries to which at most `most` ids remain.

        The rows, int64, are those of the group's queries. The remaining ids are int32. Both arrays are ascending.
        """
        ...

    def mask(self, scores: Floats, start: int = 0) -> None:
        """Set the scores of excluded ids to -inf, in place.

        `scores`, float32 [Q, n], has the scores of the n columns from `start` on.
        """
        ...


@dataclass(frozen=True, slots=True)
class Longest:
    """Vectors ordered by length, for an exact search of the largest inner products with queries.

    The inner product of a query q and a vector v is at most |q| |v| (Cauchy-Schwarz). Once k products are known,
    vectors that are too short to reach the k-th best of them are skipped, and the result stays exact. Factorizations
    produce vectors of very different lengths, long ones for popular items, so most vectors are skipped. The method is
    that of Teflioudi, Gemulla and Mykytiuk, "LEMP: Fast Retrieval of Large Entries in a Matrix Product" (2015).

    vectors: float32 [N, D], the vectors in the order of their ids
    order: int32[n], the ids by the length of their vectors, longest first, without those whose vectors contain NaN
    places: int32[N], the position of each id in `order`, N for ids that are not in it
    shortness: float64[n], the negative lengths of the vectors in `order`; they are ascending, as a binary search needs
    head: float32 [H, D], a contiguous copy of the H longest vectors, with which every search begins
    """

    vectors: Floats
    order: Ints
    places: Ints
    shortness: Doubles
    head: Floats

    @classmethod
    def of(cls, vectors: Floats) -> Self | None:
        """Order vectors, float32 [N, D], by length; return None if there are too few for a search to save time."""
        if len(vectors) < 4 * _HEAD:
            return None
        shortness = -np.sqrt(np.einsum("nd,nd->n", vectors, vectors)).astype(np.float64)
        order = np.argsort(shortness, kind="stable")[: np.count_nonzero(~np.isnan(shortness))].astype(np.int32)
        places = np.full(len(vectors), len(vectors), np.int32)
        places[order] = np.arange(len(order))
        return cls(vectors, order, places, shortness[order], vectors[order[:_HEAD]])

    def search(self, queries: Floats, k: int, exclude: Exclusion) -> NDArray[np.uint64] | None:
        """Return the sort keys of the k best ids for each query: uint64 [Q, k], best first.

        `queries` are float32 [Q, D]. A key holds an id and its score (module `sort_keys`). Returns None if computing
        all products would be faster.
        """
        # Lengths and products are rounded: the bound is widened by the error, so that no vector is skipped wrongly.
        reach = np.linalg.norm(queries, axis=1).astype(np.float64) * (1 + _ROUNDING * queries.shape[1])
        rows = np.flatnonzero(reach >= 0)  # not of NaN, which have no results
        if 8 * k > len(self.head) or self._futile(queries, reach, rows, k):
            return None
        keys = np.full((len(queries), k), NOTHING)
        barred = exclude.arranged(self.order, self.places)
        start, stop = 0, len(self.head)
        while len(rows):
            # The keys hold ids, not places, so that ties go to the lower id in whatever order they are found.
            piece = self.head if not start else self.vectors[self.order[start:stop]]
            names = self.order[start:stop]
            for batch in _batches(rows, len(piece)):
                everyone = len(batch) == len(queries)  # no copies: for a single query they cost more than the products
                products = multiplied(queries if everyone else queries[batch], piece)
                (barred if everyone else barred.take(batch)).mask(products, start)
                best = best_keys(products, k, names)
                keys[batch] = _merged(keys[batch], best) if start else best
            needed = self._needed(scores_of(keys[rows, -1]), reach[rows])
            if not start and needed.mean() > _PAYS * len(self.order):
                return None
            rows, needed = rows[needed > stop], needed[needed > stop]
            start, stop = stop, min(stop + min(stop, _PIECE), int(needed.max(initial=0)))
        return keys

    def _futile(self, queries: Floats, reach: Doubles, rows: Longs, k: int) -> bool:
        """Return True if the queries need so many vectors that computing all products is faster than a search.

        The number is estimated by a sample of the queries, without exclusions. `queries` are float32 [Q, D]. `reach`,
        float64[Q], has the length of each query, rounded up. `rows`, int64, are the rows of queries that are not NaN.
        """
        if len(rows) < 8 * _ASKED:  # the first products of these queries themselves will tell
            return False
        sample = rows[:: len(rows) // _ASKED]
        last = np.partition(multiplied(queries[sample], self.head), -k, axis=1)[:, -k]
        return float(self._needed(last, reach[sample]).mean()) > _PAYS * len(self.order)

    def _needed(self, last: Floats, reach: Doubles) -> Longs:
        """Return the number of vectors, from the longest on, that may be among the k best of each query: int64[Q].

        `last`, float32[Q], is the k-th best score of each query so far; `reach`, float64[Q], is the length of the
        query, rounded up. A vector of length l can be among the best only if `reach` times l is at least `last`.
        If `last` is not positive, or NaN for fewer than k results, all vectors may be among the best.
        """
        few = ~(last > 0)  # NaN (fewer than k results) or not positive: a vector of any length can reach that
        return np.searchsorted(self.shortness, np.where(few, np.inf, -last / np.where(few, 1, reach)), side="right")


def _batches(rows: Longs, width: int) -> Iterator[Longs]:
    """Split `rows` into batches so small that the products of a batch, `width` for each row, stay in cache."""
    step = max(_PRODUCTS // width, 1)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _merged(keys: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Join the rows of `keys`, [Q, k], and `more`, [Q, m]; return the k smallest of each, ascending: uint64 [Q, k]."""
    both = np.concatenate((keys, more), axis=1)
    both.sort(axis=1)
    return both[:, : keys.shape[1]]
