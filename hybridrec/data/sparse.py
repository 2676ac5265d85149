"""Sparse matrices of components: as named arrays for their state, and the scaling of their entries."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.types import Sparse, State

Values: TypeAlias = Literal["binary", "log", "raw"]
"""The value of an entry of a matrix of weights; see `valued`."""


def pack_csr(matrix: Sparse, name: str) -> State:
    """Pack a csr matrix into arrays `name.data`, `name.indices`, ...; `unpack_csr` is the inverse."""
    parts = {field: getattr(matrix, field) for field in ("data", "indices", "indptr")}
    return {f"{name}.{field}": array for field, array in parts.items()} | {f"{name}.shape": np.array(matrix.shape)}


def unpack_csr(state: State, name: str) -> Sparse:
    """Unpack the csr matrix that `pack_csr` packed under this name."""
    parts = tuple(state[f"{name}.{field}"] for field in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(state[f"{name}.shape"].tolist()))


def valued(matrix: Sparse, values: Values) -> Sparse:
    """Return a copy of a csr of weights with entries 1 ("binary"), log(1 + weight) ("log") or the weight ("raw").

    The latter two are divided by their mean in the row, so that every user has the same average.
    """
    result = matrix.copy()
    if values == "binary":
        result.data[:] = 1
        return result
    if values == "log":
        result.data = np.log1p(result.data)
    count = np.diff(result.indptr)
    mean = np.asarray(result.sum(axis=1)).ravel() / np.maximum(count, 1)
    result.data = (result.data / np.repeat(mean, count)).astype(np.float32)
    return result
