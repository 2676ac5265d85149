"""Sparse matrices as named arrays, for the state of components."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.arrays import Sparse, State


def pack_csr(matrix: Sparse, name: str) -> State:
    """The parts of a csr matrix as arrays `name.data`, `name.indices`, ...; `unpack_csr` is the way back."""
    parts = {part: getattr(matrix, part) for part in ("data", "indices", "indptr")}
    return {f"{name}.{part}": array for part, array in parts.items()} | {f"{name}.shape": np.array(matrix.shape)}


def unpack_csr(state: State, name: str) -> Sparse:
    """The csr matrix that `pack_csr` packed under this name."""
    parts = tuple(state[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(state[f"{name}.shape"].tolist()))
