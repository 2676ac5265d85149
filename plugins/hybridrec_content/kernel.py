"""How alike items are by their content, as a kernel matrix: what regressions between items stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec import Bools, Dataset, Doubles, Floats, Ints, Sparse
from hybridrec_content.blocks import Kind, cosines

BLOCK = 512
"""Rows of the kernel that are made at a time."""


@dataclass(frozen=True, slots=True)
class ContentKernel:
    """K(i, j) = exp(-(r_i - r_j)^2 / (2 w^2)) times, over the kinds of content, 1 + share cos(i, j)^2.

    r is the rank of an item's time among all, from 0 to 1, so that w says which share of the items counts
    as near, in years as in hours. A product of positive definite kernels is one again.

    parts: share and unit rows, csr [I, D], of each kind of content
    ranks: float64[I], or None where no times count
    """

    parts: tuple[tuple[float, Sparse], ...]
    ranks: Doubles | None
    width: float

    @classmethod
    def of(cls, data: Dataset, shares: dict[Kind, float], *, idf: float, min_items: int, width: float) -> ContentKernel:
        """Of the items of a dataset; a `width` of 0 leaves out the times."""
        parts = tuple((share, cosines(data, kind, idf, min_items)) for kind, share in shares.items() if share)
        return cls(parts, time_ranks(data.item_times) if width else None, width)

    def described(self) -> Bools:
        """bool[I]: the items of which anything is known."""
        known = [np.diff(content.indptr) > 0 for _, content in self.parts]
        if self.ranks is not None:
            known.append(~np.isnan(self.ranks))
        return np.logical_or.reduce(known)

    def matrix(self, rows: Ints, columns: Ints) -> Floats:
        """K of some items and others: float32 [len(rows), len(columns)]."""
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
        """The factor of the times; an unknown time lies in the middle."""
        if self.ranks is None:
            return np.ones((len(rows), len(columns)), np.float32)
        ranks = np.nan_to_num(self.ranks, nan=0.5).astype(np.float32)
        return np.exp(-(((ranks[rows, None] - ranks[columns]) / np.float32(self.width)) ** 2) / 2)


def time_ranks(times: Doubles | None) -> Doubles | None:
    """float64[I]: the share of known times that are earlier, equal ones counting half; NaN where unknown."""
    if times is None:
        return None
    known = np.sort(times[~np.isnan(times)])
    middle = (np.searchsorted(known, times, "left") + np.searchsorted(known, times, "right")) / 2
    return np.where(np.isnan(times), np.nan, middle / max(len(known), 1))
