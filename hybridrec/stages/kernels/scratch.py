"""Memory that products are written into over and over: fresh pages cost as much as what is computed into them."""

from __future__ import annotations

import threading

import numpy as np

from hybridrec.arrays import Floats


class _Scratch(threading.local):
    """One buffer a thread, as large as what was asked for so far."""

    buffer: Floats = np.empty(0, np.float32)

    def of(self, size: int) -> Floats:
        """float32 [size], with anything in it."""
        if len(self.buffer) < size:
            self.buffer = np.empty(size, np.float32)
        return self.buffer[:size]


_scratch = _Scratch()


def multiplied(queries: Floats, vectors: Floats) -> Floats:
    """Inner products of queries, [Q, D], and vectors, [N, D]: float32 [Q, N], valid until the thread asks again."""
    shape = len(queries), len(vectors)
    return np.matmul(queries, vectors.T, out=_scratch.of(shape[0] * shape[1]).reshape(shape))
