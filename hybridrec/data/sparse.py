"""Helpers for csr matrices: fast construction, packing into arrays for the state of a component, scaled entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from hybridrec.types import Sparse, State

Values: TypeAlias = Literal["binary", "log", "raw"]
"""The way in which `valued` scales the entries of a matrix of weights."""
_MANY = 1 << 16
"""Entries from which scipy joins blocks as fast, and with less memory."""
_EMPTY = csr_matrix((0, 0), dtype=np.float32).__dict__
"""The attributes of a csr matrix beside its arrays and its shape, as this version of scipy has them."""


def make_csr(
    data: NDArray[Any], indices: NDArray[np.integer], indptr: NDArray[np.integer], shape: tuple[int, int]
) -> Sparse:
    """Make a csr matrix from arrays that are known to fit together, without copies.

    The constructor of scipy checks that they fit, which takes ten times as long; for a single query that would be more
    than the work on its entries.
    """
    if indptr.dtype != indices.dtype:  # scipy's loops take one type of both
        if len(indices) > np.iinfo(np.int32).max:
            return csr_matrix((data, indices, indptr), shape=shape)
        indptr, indices = indptr.astype(np.int32, copy=False), indices.astype(np.int32, copy=False)
    matrix = csr_matrix.__new__(csr_matrix)
    matrix.__dict__.update(_EMPTY, data=data, indices=indices, indptr=indptr, _shape=shape)
    return matrix


def filled(matrix: Sparse, value: float) -> Sparse:
    """Return a csr float32 with this value at every stored entry of a matrix; it shares no arrays with the matrix."""
    values = np.full(len(matrix.data), value, np.float32)
    return make_csr(values, matrix.indices.copy(), matrix.indptr.copy(), matrix.shape)


def stack_columns(blocks: Sequence[Sparse]) -> Sparse:
    """Join csr matrices of the same rows side by side: csr float32, the entries of a row in the order of the blocks."""
    if sum(len(block.indices) for block in blocks) > _MANY:
        return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))
    lengths = [np.diff(block.indptr) for block in blocks]
    indptr = np.concatenate(([0], np.cumsum(np.sum(lengths, axis=0)))).astype(np.int32)
    indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    begins, width = indptr[:-1].copy(), 0
    for block, each in zip(blocks, lengths, strict=True):
        n = int(block.indptr[-1])
        if n:
            places = np.repeat(begins - block.indptr[:-1], each) + np.arange(n)
            indices[places] = block.indices[:n] + np.int32(width)
            data[places] = block.data[:n]
            begins += each
        width += block.shape[1]
    return make_csr(data, indices, indptr, (len(begins), width))


def pack_csr(matrix: Sparse, name: str) -> State:
    """Pack a csr matrix into four arrays: their names are `name` plus `.data`, `.indices`, `.indptr` and `.shape`.

    `unpack_csr` is the inverse.
    """
    parts = {field: getattr(matrix, field) for field in ("data", "indices", "indptr")}
    return {f"{name}.{field}": array for field, array in parts.items()} | {f"{name}.shape": np.array(matrix.shape)}


def unpack_csr(state: State, name: str) -> Sparse:
    """Unpack the csr matrix that `pack_csr` packed under this name, without copies.

    The constructor of scipy copies arrays that are a small part of a larger one, as the arrays of a bundle are: each
    process that serves would have its own.
    """
    data, indices, indptr = (state[f"{name}.{field}"] for field in ("data", "indices", "indptr"))
    return make_csr(data, indices, indptr, tuple(state[f"{name}.shape"].tolist()))


def valued(matrix: Sparse, values: Values) -> Sparse:
    """Return a copy of a csr matrix of weights with scaled entries.

    "binary" makes every entry 1. "log" takes log(1 + weight) and "raw" the weight itself; both are divided by the mean
    of the row's entries, so that the entries of every user have the mean 1.
    """
    if values == "binary":
        return filled(matrix, 1)
    result = matrix.copy()
    if values == "log":
        result.data = np.log1p(result.data)
    count = np.diff(result.indptr)
    mean = np.asarray(result.sum(axis=1)).ravel() / np.maximum(count, 1)
    result.data = (result.data / np.repeat(mean, count)).astype(np.float32)
    return result
