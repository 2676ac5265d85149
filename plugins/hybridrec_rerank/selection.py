"""Greedy selection for all queries at once: each place goes to the candidate with the best value for it."""

from __future__ import annotations

import numpy as np

from hybridrec import Floats, Longs


class Selection:
    """Greedy filling of the first n places of Q slates from D candidates each, by relevance and a second criterion.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf at padding
    share: weight of relevance in the trade-off, from 0 to 1
    places: int64 [Q, D], the place of each candidate so far; candidates not chosen have the places from n on, in
        the order of relevance
    steps: the places to fill, from 0
    """

    def __init__(self, relevance: Floats, share: float, n: int) -> None:
        queries, depth = relevance.shape
        finite = relevance > -np.inf
        self.places: Longs = np.tile(np.arange(depth) + n, (queries, 1))
        self.steps = range(min(n, depth))
        self.rows = np.arange(queries)
        self._other = np.float32(1 - share)
        self._open = np.where(finite, np.float32(share) * np.where(finite, relevance, 0), np.float32(-np.inf))

    def take(self, place: int, other: Floats) -> Longs:
        """Choose the candidate with the largest share * relevance + (1 - share) * `other` for this place.

        `other` is float32 [Q, D]. Returns the chosen candidate of each query, int64 [Q].
        """
        chosen = np.argmax(self._open + self._other * other, axis=1)
        there = self._open[self.rows, chosen] > -np.inf
        self.places[self.rows[there], chosen[there]] = place
        self._open[self.rows, chosen] = -np.inf
        return chosen
