"""Similarity of items by their content as a kernel matrix, on which regressions between items are based."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hybridrec import Bools, Doubles, Floats, Ints, Sparse
from hybridrec_content.blocks import Kind, cosines

Time: TypeAlias = Literal["rank", "age"]

BLOCK = 512
"""Number of rows of the kernel that are computed at a time."""


@dataclass(frozen=True, slots=True)
class ContentKernel:
    """Kernel K(i, j) = exp(-(p_i - p_j)^2 / (2 w^2)) times the product of 1 + share cos(i, j)^2 over kinds of content.

    p is the position of an item in time (see `time_ranks` and `log_ages`), w the width. A product of positive
    definite kernels is positive definite again.

    parts: for each kind of content its share, and csr [I, D] with rows of length 1 or empty ones
    positions: float64[I], p of each item, NaN if unknown; None if times are ignored
    width: w
    """

    parts: tuple[tuple[float, Sparse], ...]
    positions: Doubles | None
    width: float

    @classmethod
    def of(
        cls,
        content: Mapping[Kind, tuple[float, Sparse]],
        times: Doubles | None,
        *,
        idf: float,
        min_items: int,
        time: Time,
        width: float,
    ) -> ContentKernel:
        """Build the kernel of items from the share and the block of each kind of content, and their times, float64[I].

        A `width` of 0 ignores times.
        """
        parts = tuple((share, cosines(block, kind, idf, min_items)) for kind, (share, block) in content.items())
        times = times if width else None
        if times is None or np.isnan(times).all():
            return cls(parts, None, width)
        return cls(parts, time_ranks(times) if time == "rank" else log_ages(times), width)

    def described(self) -> Bools:
        """Return bool [I]: true for items with any content or a time that counts."""
        filled = [np.diff(content.indptr) > 0 for _, content in self.parts]
        if self.positions is not None:
            filled.append(~np.isnan(self.positions))
        return np.logical_or.reduce(filled)

    def matrix(self, rows: Ints, columns: Ints) -> Floats:
        """Compute K between two sets of items: float32 [len(rows), len(columns)]."""
        result = np.empty((len(rows), len(columns)), np.float32)
        others = [content[columns].T.tocsr() for _, content in self.parts]
        for start in range(0, len(rows), BLOCK):
            here = rows[start : start + BLOCK]
            block = self._near(here, columns)
            for (share, content), other in zip(self.parts, others, strict=True):
                block *= 1 + np.float32(share) * (content[here] @ other).toarray() ** 2
            result[start : start + BLOCK] = block
        return result

    def _near(self, rows: Ints, columns: Ints) -> Floats:
        """Compute the factor of K that depends on times; an unknown time counts as the median."""
        if self.positions is None:
            return np.ones((len(rows), len(columns)), np.float32)
        places = np.nan_to_num(self.positions / self.width, nan=np.nanmedian(self.positions) / self.width)
        places = places.astype(np.float32)
        return np.exp(-((places[rows, None] - places[columns]) ** 2) / 2)


def time_ranks(times: Doubles) -> Doubles:
    """Compute for each item the share of known times that are earlier; an equal time counts half.

    Returns float64[I], NaN where the time is unknown.
    """
    ordered = np.sort(times[~np.isnan(times)])
    middle = (np.searchsorted(ordered, times, "left") + np.searchsorted(ordered, times, "right")) / 2
    return np.where(np.isnan(times), np.nan, middle / len(ordered))


def log_ages(times: Doubles) -> Doubles:
    """Compute log(1 + a / q) for each item, where a is its age relative to the newest item: float64[I].

    q is the lower quartile of the ages above 0, which makes the result independent of the unit of time. NaN where the
    time is unknown.
    """
    ages = np.nanmax(times) - times
    older = ages[ages > 0]
    return np.log1p(ages / (np.quantile(older, 0.25) if len(older) else 1))
