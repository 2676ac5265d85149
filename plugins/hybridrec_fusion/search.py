"""Searching the weights of a sum that rank validation queries best."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hybridrec import Bools, Doubles, Floats, kernels

_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05)


class Search:
    """Coordinate ascent on nDCG@k over the rows of a pool.

    columns: float32 [L, Q, K]; relevant: bool [Q, K]; wanted: int[Q], relevant ids in all, found or not.
    """

    def __init__(
        self,
        columns: Floats,
        valid: Bools,
        relevant: Bools,
        wanted: NDArray[np.integer],
        weights: Doubles,
        k: int,
    ) -> None:
        self.columns = columns
        self.valid = valid
        self.relevant = relevant
        self.wanted = wanted
        self.weights = weights
        self.k = k

    def part(self, rows: Bools) -> Search:
        """The same over the rows at which `rows` is true."""
        if rows.all():
            return self
        parts = (self.valid[rows], self.relevant[rows], self.wanted[rows], self.weights[rows])
        return Search(self.columns[:, rows], *parts, self.k)

    def best_single(self) -> int:
        """The column that ranks best alone."""
        return int(np.argmax([self.value(alone) for alone in np.eye(len(self.columns))]))

    def climb(self, starts: list[Doubles]) -> Doubles:
        """Weights float64[L], the largest 1, from the best of the single columns and `starts`."""
        starts = [*np.eye(len(self.columns)), *starts]
        values = [self.value(start) for start in starts]
        first = int(np.argmax(values))
        best, score = starts[first], values[first]
        for step in _STEPS:
            improved = True
            while improved:
                improved = False
                for position, move in product(range(len(best)), (step, -step)):
                    trial = best.copy()
                    trial[position] = max(best[position] + move, 0)
                    if not trial.any() or trial[position] == best[position]:
                        continue  # without any weight there is no order
                    value = self.value(trial)
                    if value > score + 1e-9:
                        best, score, improved = trial, value, True
        return best / best.max()

    def value(self, weights: Doubles) -> float:
        """Mean nDCG@k under these weights."""
        return self.mean(self.gains(weights))

    def mean(self, gains: Doubles) -> float:
        """Mean over the queries of a value of each, float64 [Q]."""
        return float(np.average(gains, weights=self.weights))

    def gains(self, weights: Doubles) -> Doubles:
        """nDCG@k of each query under these weights: float64 [Q]."""
        final = np.where(self.valid, np.float32(0), np.float32(-np.inf))
        for weight, column in zip(weights.astype(np.float32), self.columns, strict=True):
            if weight:
                final += weight * column
        return kernels.ndcg(final, self.relevant, self.wanted, self.k)
