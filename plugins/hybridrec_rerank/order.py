"""Reading the order of a fused pool, and writing another one."""

from __future__ import annotations

import numpy as np

from hybridrec import Floats, Ints, Longs, PluginError, Pool, kernels


def fused(pool: Pool, name: str) -> Floats:
    """The final score, or the only column; raises PluginError where several columns are not fused yet."""
    if pool.final is not None:
        return pool.final
    if not pool.ids.shape[1]:
        return np.empty(pool.ids.shape, np.float32)
    if len(pool.columns) > 1:
        raise PluginError(f"'{name}' reorders a fused pool: put a fusion before it, for example {{use: weighted}}")
    return next(iter(pool.columns.values()))


def head(pool: Pool, final: Floats, depth: int) -> tuple[Ints, Ints, Floats]:
    """The best D = min(depth, K) candidates: their columns and ids, int32 [Q, D], and scores, -inf where none is."""
    columns = kernels.best(final, depth)
    scores = np.take_along_axis(final, columns, axis=1)
    return columns, np.take_along_axis(pool.ids, columns, axis=1), np.nan_to_num(scores, nan=-np.inf)


def moved(pool: Pool, final: Floats, columns: Ints, places: Longs) -> Pool:
    """The pool in a new order: the given columns [Q, D] by `places` (from 0), the others behind them as before."""
    behind = columns.shape[1] + kernels.ranks(final)
    reordered = -behind
    known = ~np.isnan(np.take_along_axis(final, columns, axis=1))
    np.put_along_axis(reordered, columns, np.where(known, -places, np.nan).astype(np.float32), axis=1)
    return pool.ranked(reordered)
