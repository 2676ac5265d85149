"""Random numbers that belong to a query, not to the batch in which it is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import Floats, Sparse

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


def draws(rows: Sparse, seed: int) -> Floats:
    """Uniform random numbers in [0, 1) that belong to what a query holds: float32 [Q, N] for csr rows [Q, N].

    A number depends on the seed, its column and the columns that its row stores, on nothing else: a query
    draws the same again, in whatever batch it is asked.
    """
    columns = _mixed(np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * _GOLDEN + np.uint64(seed))
    sums = np.concatenate(([np.uint64(0)], np.cumsum(columns[rows.indices], dtype=np.uint64)))
    mixed = _mixed(np.diff(sums[rows.indptr])[:, None] ^ columns)
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of a number depends on all of its bits: the finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ values >> np.uint64(31)
