"""Reuse of a buffer in each thread, since page faults of fresh memory cost as much as computing its content."""

from __future__ import annotations

import math
import threading

import numpy as np

from hybridrec.types import Floats


class _Own(threading.local):
    """One buffer per thread, as large as the largest request so far."""

    buffer: Floats = np.empty(0, np.float32)


_own = _Own()


def scratch(*shape: int) -> Floats:
    """Return an uninitialized float32 array of this shape, which is valid until the next call in the same thread."""
    size = math.prod(shape)
    if len(_own.buffer) < size:
        _own.buffer = np.empty(size, np.float32)
    return _own.buffer[:size].reshape(shape)


def multiplied(queries: Floats, vectors: Floats) -> Floats:
    """Compute the inner products of queries, [Q, D], and vectors, [N, D], in `scratch`: float32 [Q, N]."""
    return np.matmul(queries, vectors.T, out=scratch(len(queries), len(vectors)))
