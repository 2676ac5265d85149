"""Proposals of generators, and the ids that may not be proposed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.frozen import freeze
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Bools, Doubles, Floats, Ints, Sparse


@dataclass(frozen=True, slots=True, eq=False)
class Exclude:
    """Ids that may not be proposed: `rows`, csr [Q, N], per query; `ids`, bool[N], for every query; and those
    that came out, `released`, float64[N], after the time of the query, `times`, float64[Q] (both or neither;
    NaN is neither before nor after).

    Equal only to itself, so that it can be part of a key.
    """

    rows: Sparse | None = None
    ids: Bools | None = None
    released: Doubles | None = None
    times: Doubles | None = None

    def __post_init__(self) -> None:
        """Whoever is handed it shares its arrays with others."""
        freeze(self, canonical=False)  # `mask` and `holds` need no order, and sorting takes time

    def take(self, rows: NDArray[np.integer] | slice) -> Exclude:
        """For the given queries."""
        return replace(
            self,
            rows=None if self.rows is None else self.rows[rows],
            times=None if self.times is None else self.times[rows],
        )

    def arranged(self, order: Ints, places: Ints) -> Exclude:
        """With id `order[j]` in place j, `places` being the way back: N for ids that are not in `order`."""
        rows = self.rows
        if rows is not None:
            rows = csr_matrix((rows.data, places[rows.indices], rows.indptr), (rows.shape[0], len(places) + 1))
        ids = None if self.ids is None else self.ids[order]
        released = None if self.released is None else self.released[order]
        return replace(self, rows=rows, ids=ids, released=released)

    def mask(self, scores: Floats, start: int = 0) -> None:
        """Set the excluded entries of the scores of `start` and the next ids, float32 [Q, n], to -inf, in place."""
        stop = start + scores.shape[1]
        if self.rows is not None:
            rows, ids = kernels.csr_rows(self.rows), self.rows.indices
            if stop - start < self.rows.shape[1]:
                inside = (ids >= start) & (ids < stop)
                rows, ids = rows[inside], ids[inside] - start
            scores[rows, ids] = -np.inf
        if self.ids is not None:
            scores[:, self.ids[start:stop]] = -np.inf
        if self.released is not None and self.times is not None:
            scores[self.released[start:stop] > self.times[:, None]] = -np.inf

    def holds(self, ids: Ints) -> Bools:
        """bool, shape of `ids` [Q, K]: which of them may not be proposed; false at padding."""
        valid = ids != PADDING
        if not valid.any():
            return valid
        held = np.zeros(ids.shape, bool) if self.rows is None else kernels.hits(ids, self.rows)
        if self.ids is not None:
            held |= self.ids.take(ids, mode="wrap")  # wherever padding looks; half the time of an index
        if self.released is not None and self.times is not None:
            held |= self.released.take(ids, mode="wrap") > self.times[:, None]
        return held & valid


@dataclass(frozen=True, slots=True)
class Candidates:
    """Proposals for Q queries: ids int32 [Q, k], best first, -1 where there are fewer; scores float32 [Q, k].

    A row without any id means "nothing to say". Scores at padding are NaN.
    """

    ids: Ints
    scores: Floats

    @classmethod
    def empty(cls, queries: int, k: int) -> Candidates:
        """Nothing to say about any of the queries."""
        return cls(np.full((queries, k), PADDING, np.int32), np.full((queries, k), np.nan, np.float32))
