"""Memory that is written over and over: fresh pages cost as much as what is computed into them."""

from __future__ import annotations

import math
import threading

import numpy as np

from hybridrec.types import Floats


class _Own(threading.local):
    """One buffer a thread, as large as what was asked for so far."""

    buffer: Floats = np.empty(0, np.float32)


_own = _Own()


def scratch(*shape: int) -> Floats:
    """float32 of this shape, with anything in it; valid until the thread asks again."""
    size = math.prod(shape)
    if len(_own.buffer) < size:
        _own.buffer = np.empty(size, np.float32)
    return _own.buffer[:size].reshape(shape)


def multiplied(queries: Floats, vectors: Floats) -> Floats:
    """Inner products of queries, [Q, D], and vectors, [N, D], in `scratch`: float32 [Q, N]."""
    return np.matmul(queries, vectors.T, out=scratch(len(queries), len(vectors)))
