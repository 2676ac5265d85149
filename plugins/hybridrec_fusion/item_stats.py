"""Statistics of recommendable ids from a training part that do not depend on queries: use, age and content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, hstack

from hybridrec import ITEMS, Dataset, Doubles, Floats, Sparse, State, Target, kernels, pack_csr, unpack_csr


@dataclass(frozen=True, slots=True)
class Facts:
    """Statistics of each of the N ids of a target.

    popularity: float32[N], log((1 + n) / (1 + all users)), where n users have the id
    first: float64[N], the time of the id's release, or else of its first use, in seconds since 1970; NaN where unknown
    last: float64[N], the time of the id's last use, in seconds since 1970; NaN where unknown
    content: csr float32 [N, D], tags (weighted by rarity), features and vector of the id; rows of length 1 or empty
    tags: csr float32 [N, T], the weighted tags alone, to compare with the tags of a query; rows of length 1 or empty
    """

    popularity: Floats
    first: Doubles
    last: Doubles
    content: Sparse
    tags: Sparse

    @classmethod
    def of(cls, data: Dataset, target: Target) -> Self:
        """Collect statistics of a target's ids from a training part; other kinds than items have popularity only."""
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
        """Return all arrays for `restore`, under the names `name.popularity`, `name.first` and so on."""
        return {
            f"{name}.popularity": self.popularity,
            f"{name}.first": self.first,
            f"{name}.last": self.last,
            **pack_csr(self.content, f"{name}.content"),
            **pack_csr(self.tags, f"{name}.tags"),
        }

    @classmethod
    def restore(cls, state: State, name: str) -> Self:
        """Rebuild the statistics from the arrays that `state` returned for this name."""
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
    """Return the times of the first and of the last use of each item: float64[I] each, NaN where unknown."""
    first = np.full(len(data.items), np.nan)
    last = first.copy()
    if data.interactions.times is not None:
        np.fmin.at(first, data.interactions.ids, data.interactions.times)
        np.fmax.at(last, data.interactions.ids, data.interactions.times)
    return first, last


def _rare(matrix: Sparse) -> Sparse:
    """Weigh counts by TF-IDF and scale rows to length 1.

    TF-IDF is log(1 + count) log(N / n), where n of the N rows have the column.
    """
    count = np.maximum(matrix.getnnz(axis=0), 1)
    rarity = np.log(max(matrix.shape[0], 1) / count).astype(np.float32)
    parts = (np.log1p(np.abs(matrix.data)) * rarity[matrix.indices], matrix.indices, matrix.indptr)
    return _unit(csr_matrix(parts, shape=matrix.shape))


def _unit(matrix: Sparse) -> Sparse:
    """Return the matrix with rows of length 1, without entries of 0; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    values = matrix.data / np.where(length > 0, length, 1)[kernels.csr_rows(matrix)]
    # Copies, because eliminate_zeros works in place and the matrix may belong to the data.
    result = csr_matrix((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape, dtype=np.float32)
    result.eliminate_zeros()
    return result


def _nothing(rows: int) -> Sparse:
    return csr_matrix((rows, 0), dtype=np.float32)
