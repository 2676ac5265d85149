"""Vectors that a component learned, with the entities that they are of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import Floats, Longs


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of all entities of one kind, in the space of queries: what a query of one of them alone would be.

    vocabulary: the ids of N entities
    vectors: float32 [N, D], NaN rows for those without a vector
    counts: int64 [N], number of training users who have each; None if the component does not tell
    """

    vocabulary: Vocabulary
    vectors: Floats
    counts: Longs | None = None

    def vector(self, name: str) -> Floats | None:
        """Return the vector of an id, float32 [D]; None if it has none."""
        if name not in self.vocabulary:
            return None
        vector: Floats = self.vectors[int(self.vocabulary.encode([name])[0])]
        return None if np.isnan(vector).any() else vector


def positions(counts: Longs) -> Longs:
    """Return the place of each by its count, int64 [N], from 1 for the most frequent; ties are in the order of ids."""
    places = np.empty(len(counts), np.int64)
    places[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    return places
