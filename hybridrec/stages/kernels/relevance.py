"""Hits and nDCG of ranked ids, by comparison with the held-out truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.stages.kernels.topk import best
from hybridrec.types import Bools, Doubles, Floats, Ints, Sparse

_FLAGGED = 1 << 21
"""The number of flags, of one byte each, held at once."""


def hits(ids: Ints, truth: Sparse) -> Bools:
    """Return bool [Q, K]: true for each of the `ids`, int32 [Q, K], that is in the truth of its query.

    `truth`, csr [Q, N], stores the relevant ids of each query. The result is false at padding.
    """
    width = truth.shape[1] + 1  # padding reads the extra last column, which is never set
    result = np.empty(ids.shape, bool)
    step = max(_FLAGGED // width, 1)
    # Flat indices take half the time of take_along_axis. Padding (-1) reads the last column of the row before; in the
    # first row it wraps around to the last row's.
    flags = np.zeros(min(step, len(ids)) * width, bool)
    begins = np.arange(0, len(flags), width)
    for start in range(0, len(ids), step):
        asked = ids[start : start + step]
        ends = truth.indptr[start : start + len(asked) + 1]
        places = truth.indices[ends[0] : ends[-1]] + np.repeat(begins[: len(asked)], np.diff(ends))
        flags[places] = True
        np.take(flags, asked + begins[: len(asked), None], mode="wrap", out=result[start : start + step])
        flags[places] = False  # only what was set: clearing the whole buffer would cost more than the lookup
    return result


def ndcg(scores: Floats, relevant: Bools, wanted: NDArray[np.integer], k: int) -> Doubles:
    """Compute the nDCG@k of each row, with its K candidates ranked by `scores`, float32 [Q, K]: float64 [Q].

    Gains are binary, the discount is 1 / log2(rank + 1), and the ideal ranking has min(k, wanted) relevant ids.
    `relevant`, bool [Q, K], marks the relevant candidates; `wanted`, int [Q], is the number of all relevant ids,
    including those that are not among the candidates.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ranked = np.take_along_axis(relevant, best(scores, k), axis=1)
    gained = ranked @ discounts[: ranked.shape[1]]
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))[np.minimum(wanted, k)]
    return np.divide(gained, ideal, out=np.zeros(len(gained)), where=ideal > 0)
