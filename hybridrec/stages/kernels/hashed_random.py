"""Random numbers that depend on the content or the id of a query, but not on the batch that it is in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import Doubles, Floats, Sparse

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


def draws(rows: Sparse, seed: int) -> Floats:
    """Draw uniform random numbers in [0, 1) for Q queries and N ids: float32 [Q, N].

    `rows`, csr [Q, N], stores the ids that each query has. A number depends only on the seed, its own id, and the ids
    that its query has, so a query draws the same numbers in every batch.
    """
    columns = _mixed(np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * _GOLDEN + np.uint64(seed))
    # The hash of a row is the sum of its columns' hashes, independent of their order. Prefix sums may wrap around:
    # arithmetic of uint64 is modulo 2^64, so their differences are exact.
    sums = np.concatenate(([np.uint64(0)], np.cumsum(columns[rows.indices], dtype=np.uint64)))
    mixed = _mixed(np.diff(sums[rows.indptr])[:, None] ^ columns)
    # The upper 24 bits: all of them fit the significand of a float32, so no quotient rounds up to 1.
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def keyed_draws(keys: Sequence[str], numbers: NDArray[np.integer], seed: int) -> Doubles:
    """Draw M uniform random numbers in (0, 1) for each of Q keys: float64 [Q, M].

    keys: Q texts, such as the ids of the queries
    numbers: int [Q, M], or [M] for the same numbers in every row: entry [q, m] of the result is the draw of key q that
        has the number `numbers[q, m]`
    seed: at least 0 and below 2^64

    A draw depends only on the seed, its key and its number, and not on the other draws, their order or the batch.
    Neither 0 nor 1 is drawn, so the logarithms of a draw u and of 1 - u are finite.
    """
    salt = seed.to_bytes(8, "little")
    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=8, key=salt).digest() for key in keys)
    starts = np.frombuffer(digests, "<u8").astype(np.uint64)
    mixed = _mixed(starts[:, None] + (numbers.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    # 52 bits and a half: the largest still rounds to a number below 1.
    return ((mixed >> np.uint64(12)).astype(np.float64) + 0.5) / float(1 << 52)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each value, in the same shape: every bit of it depends on all bits of the value.

    Distinct values have distinct hashes. The function is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast
    Splittable Pseudorandom Number Generators", 2014).
    """
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ values >> np.uint64(31)
