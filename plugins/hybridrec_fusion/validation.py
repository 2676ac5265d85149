"""Validation queries as a judge of fusions: what every column says of their candidates, and which are relevant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridrec import Bools, Doubles, Floats, Longs, kernels

EVERYWHERE = "all"
"""The name of what holds for segments that have nothing of their own."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Q queries with known answers.

    columns: float32 [L, Q, K], on one scale and without NaN
    valid, relevant: bool [Q, K], where there is a candidate, and where it is an answer
    wanted: int[Q], relevant ids in all, found or not
    weights: float64[Q], what each query counts
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
        """The queries at which `rows` is true."""
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
        """Name and rows of all queries, then of each segment with at least so many; the only one is all there is."""
        yield EVERYWHERE, np.ones(len(self), bool)
        names, counts = np.unique(self.segments, return_counts=True)
        if len(names) > 1:
            for name in names[counts >= least]:
                yield str(name), self.segments == name

    def by_part(self) -> Iterator[tuple[int, Bools]]:
        """Number and rows of each part; nothing if there is only one, which leaves nobody to judge."""
        numbers = np.unique(self.parts)
        for number in numbers if len(numbers) > 1 else ():
            yield int(number), self.parts == number

    def best_single(self) -> int:
        """The column that ranks best alone."""
        return int(np.argmax([self.value(alone) for alone in np.eye(len(self.columns))]))

    def value(self, weights: Doubles) -> float:
        """Mean nDCG@k of the sum of columns under these weights, float64 [L]."""
        return self.mean(self.gains(weights))

    def mean(self, gains: Doubles) -> float:
        """Mean over the queries of a value of each, float64 [Q]."""
        return float(np.average(gains, weights=self.weights))

    def gains(self, weights: Doubles) -> Doubles:
        """nDCG@k of each query under these weights: float64 [Q]."""
        final = np.zeros(self.valid.shape, np.float32)
        for weight, column in zip(weights.astype(np.float32), self.columns, strict=True):
            if weight:
                final += weight * column
        return self.ndcg(final)

    def ndcg(self, final: Floats) -> Doubles:
        """nDCG@k of each query under this final score, float32 [Q, K]: float64 [Q]."""
        final = np.where(self.valid, final, np.float32(-np.inf))
        return kernels.ndcg(final, self.relevant, self.wanted, self.k)
