"""Choosing what to hide: distinct pairs, shares of rows, and what is left over for the truth.

Nothing here looks at ids, only at which entries of a row are the same: a choice is made by position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.arrays import Bools, Ints, Longs, Sparse
from hybridrec.data.ragged import Ragged


@dataclass(frozen=True, slots=True)
class Pairs:
    """The P distinct (row, id) pairs of a Ragged, row by row, in order of first occurrence.

    of: int64, parallel to `Ragged.ids`: the number of the pair each entry belongs to
    rows: int32[P], the row of each pair
    lengths: int64, distinct ids in each row
    """

    of: Longs
    rows: Ints
    lengths: Longs

    @classmethod
    def distinct(cls, ragged: Ragged) -> Pairs:
        """Number the distinct pairs of `ragged`."""
        if ragged.matrix(binary=True).nnz == len(ragged.ids):  # nothing is repeated, and nothing need be sorted
            return cls(np.arange(len(ragged.ids)), ragged.rows, ragged.lengths)
        keys = ragged.rows.astype(np.int64) * ragged.width + ragged.ids
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        by_position = np.argsort(first)
        number = np.empty_like(by_position)
        number[by_position] = np.arange(len(first))
        rows = ragged.rows[first[by_position]]
        return cls(of=number[inverse], rows=rows, lengths=np.bincount(rows, minlength=len(ragged)))

    def __len__(self) -> int:
        return len(self.rows)


def choose_share(lengths: NDArray[np.integer], share: float, rng: np.random.Generator) -> Bools:
    """Choose about `share` of each row at random: bool[sum(lengths)], rows one after the other.

    The number is rounded up or down at random, so that the mean share is exact; in rows of two and
    more at least one entry is chosen and at least one is not.
    """
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.floor(share * lengths + rng.random(len(lengths)))
    counts = np.where(lengths >= 2, np.clip(counts, 1, lengths - 1), counts)
    starts = np.cumsum(lengths) - lengths
    shuffled = np.lexsort((rng.random(len(rows)), rows))
    chosen = np.empty(len(rows), bool)
    chosen[shuffled] = np.arange(len(rows)) - starts[rows] < counts[rows]
    return chosen


def choose(n: int, share: float, rng: np.random.Generator) -> Bools:
    """Choose `share` of n things at random, at least one: bool[n]."""
    chosen = np.zeros(n, bool)
    chosen[rng.permutation(n)[: max(1, round(share * n))]] = True
    return chosen


def parts(things: Ints, share: float, folds: int | None, rng: np.random.Generator) -> dict[str, Ints]:
    """What each fold hides, ascending, under the fold's name.

    Either "test", a random `share` of `things`, or "fold-0", "fold-1", ...: `folds` disjoint parts which
    together are all of them.
    """
    if folds is None:
        return {"test": things[choose(len(things), share, rng)]}
    shuffled = np.array_split(rng.permutation(things), folds)
    return {f"fold-{number}": np.sort(part) for number, part in enumerate(shuffled)}


def entries(matrix: Sparse, keep: Bools) -> Sparse:
    """Only the stored entries at which `keep`, bool[nnz], is true."""
    counts = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
    return csr_matrix((matrix.data[keep], matrix.indices[keep], counts[matrix.indptr]), shape=matrix.shape)


def beyond(everything: Sparse, shown: Sparse) -> Sparse:
    """What `shown` leaves out: csr of ones at the entries that only `everything` has."""
    return (_ones(everything) > _ones(shown)).astype(np.float32).tocsr()


def _ones(matrix: Sparse) -> Sparse:
    result = matrix.copy()
    result.data = np.ones_like(result.data)
    return result
