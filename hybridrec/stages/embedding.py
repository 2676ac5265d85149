"""Vectors that a component learned, with the ids of their entities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import Floats, Longs


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of all entities of one kind, in the space of queries.

    A query that consists of one entity alone has the vector of that entity.

    vocabulary: the ids of N entities
    vectors: float32 [N, D], NaN rows for entities without a vector
    counts: int64 [N], the number of training users who have each entity; None if the component does not count them
    """

    vocabulary: Vocabulary
    vectors: Floats
    counts: Longs | None = None

    def vector(self, name: str) -> Floats | None:
        """Return the vector of the entity with the id `name`: float32 [D].

        Returns None if the id is unknown, or if the entity has no vector.
        """
        if name not in self.vocabulary:
            return None
        vector: Floats = self.vectors[int(self.vocabulary.encode([name])[0])]
        return None if np.isnan(vector).any() else vector


def positions(counts: Longs) -> Longs:
    """Return the position of each entity by its count: int64 [N], 1 for the largest count.

    `counts`, int64 [N], are in the order of the ids; of equal counts the lower id comes first.
    """
    places = np.empty(len(counts), np.int64)
    places[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    return places
