"""Exclusion by queries themselves: ids that a query blocks, and ids without the attributes that it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.features import FeatureColumn
from hybridrec.data.ragged import Ragged
from hybridrec.stages.candidates import Exclude
from hybridrec.types import Bools, Doubles, Ints, Longs, Sparse


@dataclass(frozen=True, slots=True)
class Condition:
    """The values of an attribute that recommended ids are to have, for each group of queries that ask for the same.

    asked: csr [G, V], an entry for each value, of V, that a group asks for; an id meets the condition with any of them
    states: bool [G], False for a group that asks for no value of the attribute
    held: csr [N, V], an entry for each value that an id has
    """

    asked: Sparse
    states: Bools
    held: Sparse

    def take(self, groups: Longs) -> Condition:
        """Return the condition of these groups."""
        return Condition(self.asked[groups], self.states[groups], self.held)

    def excluded(self, groups: Ints) -> Bools:
        """Return the ids that do not meet the condition of these G groups: bool [G, N]."""
        met: Bools = (self.asked[groups] @ self.held.T).toarray() > 0
        return self.states[groups, None] & ~met


@dataclass(frozen=True, slots=True)
class QueryExclusion:
    """The ids of the target that Q queries exclude.

    blocked: the codes that each query blocks; None if none does
    conditions: conditions on different attributes, all of which an id has to meet
    group: int32 [Q], the group of each query in all conditions
    """

    blocked: Ragged | None
    conditions: tuple[Condition, ...]
    group: Ints

    def take(self, rows: Longs) -> Exclude:
        """Return the exclusion for the queries in these rows; it takes a byte for each group among them and each id."""
        exclude = Exclude()
        if self.blocked is not None:
            exclude = Exclude(self.blocked.take(rows).matrix(binary=True))
        if self.conditions:
            numbers, group = np.unique(self.group[rows], return_inverse=True)
            groups = np.logical_or.reduce([condition.excluded(numbers) for condition in self.conditions])
            exclude = exclude.also(Exclude(groups=groups, group=group.reshape(-1).astype(np.int32)))
        return exclude


def match_values(column: FeatureColumn, stated: Doubles, rows: Longs, queries: int) -> tuple[Sparse, Sparse]:
    """Return (asked, held) of a condition on numbers, flags or times, whose values are those that ids have.

    stated: the values that queries ask for, in the type of the column's; NaN for none
    rows: the query, of so many `queries`, that asks for each value
    """
    filled = np.flatnonzero(~np.isnan(column.values))
    values, place = np.unique(column.values[filled], return_inverse=True)
    code = np.searchsorted(values, stated)
    present = code < len(values)
    present[present] = values[code[present]] == stated[present]
    return (
        _entries(rows[present], code[present], (queries, len(values))),
        _entries(filled, place.reshape(-1), (len(column), len(values))),
    )


def _entries(rows: Longs, columns: Longs, shape: tuple[int, int]) -> Sparse:
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
