"""Validation queries on which fusions are judged: the columns of their candidates, and the relevant candidates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridrec import Bools, Doubles, Floats, Longs, kernels

EVERYWHERE = "all"
"""Name of the entry that applies to segments without an entry of their own."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Q queries whose relevant ids are known.

    columns: float32 [L, Q, K], on one scale and without NaN
    valid: bool [Q, K], true for candidates, false at padding
    relevant: bool [Q, K], true for relevant candidates
    wanted: int[Q], number of relevant ids of each query, including those that are not candidates
    weights: float64[Q], weight of each query
    segments: str[Q], segment of each query
    parts: int64[Q], number of the part of the users to which the query's user belongs
    k: cut-off of the nDCG by which fusions are judged
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
        """Return the queries for which `rows`, bool[Q], is true."""
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
        """Yield (name, rows) of all queries, then of each segment with at least `least` queries; rows are bool[Q].

        A segment that holds all queries is not yielded again.
        """
        yield EVERYWHERE, np.ones(len(self), bool)
        names, counts = np.unique(self.segments, return_counts=True)
        if len(names) > 1:
            for name in names[counts >= least]:
                yield str(name), self.segments == name

    def by_part(self) -> Iterator[tuple[int, Bools]]:
        """Yield (number, rows) of each part of the users; rows are bool[Q].

        Yields nothing if there is only one part, which would leave no users to learn from.
        """
        numbers = np.unique(self.parts)
        for number in numbers if len(numbers) > 1 else ():
            yield int(number), self.parts == number

    def best_single(self) -> int:
        """Return the index of the column that ranks best alone."""
        return int(np.argmax([self.value(alone) for alone in np.eye(len(self.columns))]))

    def value(self, weights: Doubles) -> float:
        """Return the mean nDCG@k of the sum of columns under these weights, float64 [L]."""
        return self.mean(self.gains(weights))

    def mean(self, gains: Doubles) -> float:
        """Return the mean of `gains`, float64 [Q], a value for each query, weighted by the weights of the queries."""
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
