"""Exclusion by queries themselves: ids that a query blocks, and ids that do not meet its conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.data.ragged import Ragged
from hybridrec.serving.filter_rules import Condition, excluded
from hybridrec.stages.candidates import Exclude
from hybridrec.types import PADDING, Ints, Longs


@dataclass(frozen=True, slots=True)
class QueryExclusion:
    """The ids of the target that Q queries exclude.

    blocked: the codes that each query blocks; None if none does
    conditions: for each group of queries that state the same conditions these conditions, all of which an id has to
        meet
    group: int32 [Q], the group of each query, -1 for none
    """

    blocked: Ragged | None
    conditions: tuple[tuple[Condition, ...], ...]
    group: Ints

    def take(self, rows: Longs) -> Exclude:
        """Return the exclusion for the queries in these rows; it takes a byte for each group among them and each id."""
        exclude = Exclude()
        if self.blocked is not None:
            exclude = Exclude(self.blocked.take(rows).matrix(binary=True))
        numbers, group = np.unique(self.group[rows], return_inverse=True)
        if stated := numbers[numbers != PADDING].tolist():
            groups = np.stack([excluded(self.conditions[number]) for number in stated])
            place = group.reshape(-1) - np.count_nonzero(numbers == PADDING)  # that of no conditions comes first
            exclude = exclude.also(Exclude(groups=groups, group=place.astype(np.int32)))
        return exclude
