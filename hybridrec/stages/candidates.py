"""Candidates of generators, and the ids excluded from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.frozen import freeze
from hybridrec.data.sparse import make_csr
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Bools, Doubles, Floats, Ints, Longs, Sparse


@dataclass(frozen=True, slots=True, eq=False)
class Exclude:
    """Ids that may not be proposed.

    rows: csr [Q, N], ids excluded for each query, or None
    ids: bool[N], ids excluded for every query, or None
    released, times: float64[N] and float64[Q], release times of ids and times of queries: an id that is released
        after the time of the query is excluded; an id or a query whose time is NaN is not restricted. Both or
        neither are None
    groups, group: bool[G, N], ids excluded for each group of queries, and int32[Q], the group of each query, -1 for
        none. They suit a rule that excludes most of a large vocabulary, as they take a byte per id and group, not per
        query. Both or neither are None

    An `Exclude` is equal only to itself, so that it can be part of a cache key.
    """

    rows: Sparse | None = None
    ids: Bools | None = None
    released: Doubles | None = None
    times: Doubles | None = None
    groups: Bools | None = None
    group: Ints | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self, canonical=False)  # `mask` and `holds` need no sorted indices, and sorting takes time

    @property
    def excludes_nothing(self) -> bool:
        """True without any rule: every id may be proposed."""
        return self.rows is None and self.ids is None and self.released is None and self.groups is None

    def take(self, rows: NDArray[np.integer] | slice) -> Exclude:
        """Return the exclusion for the queries in these `rows`: indices or a slice."""
        return replace(
            self,
            rows=None if self.rows is None else self.rows[rows],
            times=None if self.times is None else self.times[rows],
            group=None if self.group is None else self.group[rows],
        )

    def arranged(self, order: Ints, places: Ints) -> Exclude:
        """Return the same exclusion after a permutation of the ids: its column j stands for the id `order[j]`.

        `order`, int32[n], has any n of the N ids. `places`, int32[N], is its inverse: the index of each id in `order`,
        or any number of at least n for an id that is not in `order`.
        """
        rows = self.rows
        if rows is not None:
            rows = make_csr(rows.data, places[rows.indices], rows.indptr, (rows.shape[0], len(places) + 1))
        ids = None if self.ids is None else self.ids[order]
        released = None if self.released is None else self.released[order]
        groups = None if self.groups is None else self.groups[:, order]
        return replace(self, rows=rows, ids=ids, released=released, groups=groups)

    def also(self, other: Exclude) -> Exclude:
        """Return the exclusion of all ids that this exclusion or `other` excludes; both are for the same queries.

        Raises ValueError if both have release times, but different times of the queries.
        """
        if other.excludes_nothing:
            return self
        if self.excludes_nothing:
            return other
        rows = (
            self.rows if other.rows is None else other.rows if self.rows is None else (self.rows + other.rows).tocsr()
        )
        ids = self.ids if other.ids is None else other.ids if self.ids is None else self.ids | other.ids
        released, times = self.released, self.times
        if other.released is not None and other.times is not None:
            if released is not None and times is not None:
                if not np.array_equal(times, other.times, equal_nan=True):
                    raise ValueError("both exclusions have release times, but for different times of the queries")
                released = np.fmax(released, other.released)
            else:
                released, times = other.released, other.times
        groups, group = _joined(self, other)
        return Exclude(rows, ids, released, times, groups, group)

    def narrow(self, most: int) -> Iterator[tuple[Longs, Ints]]:
        """Yield (rows, remaining ids) for each group of queries to which at most `most` ids remain.

        The rows, int64, are the rows of the group's queries. The remaining ids, int32, are the ids that neither the
        group's row of `groups` nor `ids` excludes. Both arrays are ascending.
        """
        if self.groups is None or self.group is None:
            return
        for number in np.unique(self.group[self.group != PADDING]):
            left = ~self.groups[number] if self.ids is None else ~(self.groups[number] | self.ids)
            if np.count_nonzero(left) <= most:
                yield np.flatnonzero(self.group == number), np.flatnonzero(left).astype(np.int32)

    def mask(self, scores: Floats, start: int = 0) -> None:
        """Set the scores of excluded ids to -inf, in place.

        `scores`, float32 [Q, n], has the scores of the n ids from `start` on.
        """
        stop = start + scores.shape[1]
        if self.rows is not None:
            rows, ids = kernels.csr_rows(self.rows), self.rows.indices
            if stop - start < self.rows.shape[1]:
                inside = (ids >= start) & (ids < stop)
                rows, ids = rows[inside], ids[inside] - start
            scores[rows, ids] = -np.inf
        if self.ids is not None:
            scores[:, self.ids[start:stop]] = -np.inf
        if self.released is not None and self.times is not None:
            scores[self.released[start:stop] > self.times[:, None]] = -np.inf
        if self.groups is not None and self.group is not None:
            for row in np.flatnonzero(self.group != PADDING):  # one by one: no mask of all queries is made
                np.copyto(scores[row], -np.inf, where=self.groups[self.group[row], start:stop])

    def holds(self, ids: Ints) -> Bools:
        """Return bool in the shape of `ids`, [Q, K]: true if the id is excluded for the query; false at padding."""
        valid = ids != PADDING
        if not valid.any():
            return valid
        held = np.zeros(ids.shape, bool) if self.rows is None else kernels.hits(ids, self.rows)
        if self.ids is not None:
            held |= self.ids.take(ids, mode="wrap")  # padding reads any entry; half the time of indexing
        if self.released is not None and self.times is not None:
            held |= self.released.take(ids, mode="wrap") > self.times[:, None]
        if self.groups is not None and self.group is not None and len(self.groups):
            held |= self.groups[self.group[:, None], ids] & (self.group != PADDING)[:, None]
        return held & valid


def _joined(first_rule: Exclude, other: Exclude) -> tuple[Bools | None, Ints | None]:
    """Return the fields `groups` and `group` of an exclusion that excludes the ids of both exclusions.

    A query that is in group i of `first_rule` and in group j of `other` gets into the group of the pair (i, j). Only
    pairs that some query has become groups.
    """
    if first_rule.groups is None or first_rule.group is None:
        return other.groups, other.group
    if other.groups is None or other.group is None:
        return first_rule.groups, first_rule.group
    pairs, place = np.unique(np.stack((first_rule.group, other.group), axis=1), axis=0, return_inverse=True)
    groups = np.zeros((len(pairs), first_rule.groups.shape[1]), bool)
    for number, (first, second) in enumerate(pairs):
        if first != PADDING:
            groups[number] |= first_rule.groups[first]
        if second != PADDING:
            groups[number] |= other.groups[second]
    return groups, place.reshape(-1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates for Q queries: ids int32 [Q, k], best first, padded with -1; scores float32 [Q, k].

    A row without ids means that the generator has no opinion on the query. Scores at padding are NaN.
    """

    ids: Ints
    scores: Floats

    @classmethod
    def empty(cls, queries: int, k: int) -> Candidates:
        """Return padding only: no candidates for any query."""
        return cls(np.full((queries, k), PADDING, np.int32), np.full((queries, k), np.nan, np.float32))
