"""Statistics of recommendable ids from a training part, independent of the query: use, age and content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, hstack

from hybridrec import ITEMS, Dataset, Doubles, Floats, Sparse, State, Target, kernels, pack_csr, unpack_csr


@dataclass(frozen=True, slots=True)
class Facts:
    """Statistics of the N ids of a target.

    popularity: float32[N], log((1 + users) / (1 + all users)) of the users who have it
    first, last: float64[N], its release, or else its first use, and its last use, seconds since 1970; NaN where unknown
    content: csr float32 [N, D], rows of length 1 or empty: its tags, weighted by rarity, and its features
    tags: csr float32 [N, T], the same of its tags alone, to compare with the tags of a query
    """

    popularity: Floats
    first: Doubles
    last: Doubles
    content: Sparse
    tags: Sparse

    @classmethod
    def of(cls, data: Dataset, target: Target) -> Self:
        """Collect the statistics of a training part; those of other kinds than items are limited to their users."""
        if target != ITEMS:
            n = data.size(target)
            unknown = np.full(n, np.nan)
            used = _popularity(data.user_matrix(target), len(data.users))
            return cls(used, unknown, unknown, _nothing(n), _nothing(n))
        tags = _rare(data.item_matrix("tags"))
        blocks = [tags]
        if data.items.features is not None:
            blocks.append(_rare(data.items.features.matrix))
        if data.items.vectors is not None:
            blocks.append(_unit(csr_matrix(data.items.vectors)))
        first, last = _used(data)
        if data.items.times is not None:
            first = np.where(np.isnan(data.items.times), first, data.items.times)
        users = data.interactions.matrix(binary=True)
        return cls(_popularity(users, len(data.users)), first, last, _unit(hstack(blocks, format="csr")), tags)

    def state(self, name: str) -> State:
        """Return the arrays as `name.popularity`, ..., to be read by `restore`."""
        return {
            f"{name}.popularity": self.popularity,
            f"{name}.first": self.first,
            f"{name}.last": self.last,
            **pack_csr(self.content, f"{name}.content"),
            **pack_csr(self.tags, f"{name}.tags"),
        }

    @classmethod
    def restore(cls, state: State, name: str) -> Self:
        """Restore the statistics that `state` packed under this name."""
        return cls(
            state[f"{name}.popularity"],
            state[f"{name}.first"],
            state[f"{name}.last"],
            unpack_csr(state, f"{name}.content"),
            unpack_csr(state, f"{name}.tags"),
        )


def _popularity(has: Sparse, users: int) -> Floats:
    return np.log((1 + has.getnnz(axis=0)) / (1 + users)).astype(np.float32)


def _used(data: Dataset) -> tuple[Doubles, Doubles]:
    """Find the first and the last use of each item: float64[I], NaN where unknown."""
    first = np.full(len(data.items), np.nan)
    last = first.copy()
    if data.interactions.times is not None:
        np.fmin.at(first, data.interactions.ids, data.interactions.times)
        np.fmax.at(last, data.interactions.ids, data.interactions.times)
    return first, last


def _rare(matrix: Sparse) -> Sparse:
    """Weigh counts by TF-IDF, log(1 + count) log(N / n), n of N rows having the column; rows have length 1."""
    count = np.maximum(matrix.getnnz(axis=0), 1)
    rarity = np.log(max(matrix.shape[0], 1) / count).astype(np.float32)
    parts = (np.log1p(np.abs(matrix.data)) * rarity[matrix.indices], matrix.indices, matrix.indptr)
    return _unit(csr_matrix(parts, shape=matrix.shape))


def _unit(matrix: Sparse) -> Sparse:
    """Scale rows to length 1; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    values = matrix.data / np.where(length > 0, length, 1)[kernels.csr_rows(matrix)]
    # Copies, because eliminate_zeros works in place and the matrix may belong to the data.
    result = csr_matrix((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape, dtype=np.float32)
    result.eliminate_zeros()
    return result


def _nothing(rows: int) -> Sparse:
    return csr_matrix((rows, 0), dtype=np.float32)
