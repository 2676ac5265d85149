"""Helpers for csr matrices: packing into named arrays for the state of a component, and scaling of the entries."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.types import Sparse, State

Values: TypeAlias = Literal["binary", "log", "raw"]
"""The way in which `valued` scales the entries of a matrix of weights."""


def pack_csr(matrix: Sparse, name: str) -> State:
    """Pack a csr matrix into the arrays `name.data`, `name.indices`, `name.indptr` and `name.shape`.

    `unpack_csr` is the inverse.
    """
    parts = {field: getattr(matrix, field) for field in ("data", "indices", "indptr")}
    return {f"{name}.{field}": array for field, array in parts.items()} | {f"{name}.shape": np.array(matrix.shape)}


def unpack_csr(state: State, name: str) -> Sparse:
    """Unpack the csr matrix that `pack_csr` packed under this name."""
    parts = tuple(state[f"{name}.{field}"] for field in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(state[f"{name}.shape"].tolist()))


def valued(matrix: Sparse, values: Values) -> Sparse:
    """Return a copy of a csr matrix of weights with scaled entries.

    "binary" makes every entry 1. "log" takes log(1 + weight) and "raw" the weight itself; both are divided by the mean
    of the row's entries, so that the entries of every user have the mean 1.
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
