"""Validation queries that judge fusions: each column's scores of their candidates, and the relevant ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridrec import Bools, Doubles, Floats, Longs, kernels

EVERYWHERE = "all"
"""Name of the entry for segments without one of their own."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Q queries with known answers.

    columns: float32 [L, Q, K], on one scale and without NaN
    valid, relevant: bool [Q, K], True for candidates, and for answers among them
    wanted: int[Q], relevant ids in total, found or not
    weights: float64[Q], weight of each query
    segments: str[Q]
    parts: int64[Q], the part of the users that its user belongs to
    k: cut-off of the nDCG that judges
    """

    columns: Floats
    valid: Bools
    relevant: Bools
    wanted: NDArray[np.integer]
    weights: Doubles
    segments: NDArray[np.str_]
    parts: Longs
    k: int

    def __len__(self) -> int:
        return len(self.wanted)

    def where(self, rows: Bools) -> Validation:
        """Select the queries at which `rows` is true."""
        if rows.all():
            return self
        return replace(
            self,
            columns=self.columns[:, rows],
            **{
                name: getattr(self, name)[rows]
                for name in ("valid", "relevant", "wanted", "weights", "segments", "parts")
            },
        )

    def by_segment(self, least: int) -> Iterator[tuple[str, Bools]]:
        """Yield name and rows of all queries, then of each of several segments with at least `least` queries."""
        yield EVERYWHERE, np.ones(len(self), bool)
        names, counts = np.unique(self.segments, return_counts=True)
        if len(names) > 1:
            for name in names[counts >= least]:
                yield str(name), self.segments == name

    def by_part(self) -> Iterator[tuple[int, Bools]]:
        """Yield number and rows of each part; nothing if there is only one, which would leave no users to judge on."""
        numbers = np.unique(self.parts)
        for number in numbers if len(numbers) > 1 else ():
            yield int(number), self.parts == number

    def best_single(self) -> int:
        """Find the column that ranks best alone."""
        return int(np.argmax([self.value(alone) for alone in np.eye(len(self.columns))]))

    def value(self, weights: Doubles) -> float:
        """Return the mean nDCG@k of the sum of columns under these weights, float64 [L]."""
        return self.mean(self.gains(weights))

    def mean(self, gains: Doubles) -> float:
        """Average a value of each query, float64 [Q], over the queries."""
        return float(np.average(gains, weights=self.weights))

    def gains(self, weights: Doubles) -> Doubles:
        """Compute nDCG@k of each query under these weights: float64 [Q]."""
        final = np.zeros(self.valid.shape, np.float32)
        for weight, column in zip(weights.astype(np.float32), self.columns, strict=True):
            if weight:
                final += weight * column
        return self.ndcg(final)

    def ndcg(self, final: Floats) -> Doubles:
        """Compute nDCG@k of each query under this final score, float32 [Q, K]: float64 [Q]."""
        final = np.where(self.valid, final, np.float32(-np.inf))
        return kernels.ndcg(final, self.relevant, self.wanted, self.k)
