"""Orders of a fused pool: its best candidates, and the pool in another order."""

from __future__ import annotations

import numpy as np

from hybridrec import Bools, Floats, Ints, Longs, Pool, kernels


def head(pool: Pool, final: Floats, depth: int) -> tuple[Ints, Ints, Floats]:
    """Return the best D = min(depth, K) candidates of each query by `final`, float32 [Q, K], best first.

    The results are their columns in the pool, int32 [Q, D], their ids, int32 [Q, D], and their scores, float32 [Q, D],
    -inf at padding.
    """
    columns = kernels.best(final, depth)
    scores = np.take_along_axis(final, columns, axis=1)
    return columns, np.take_along_axis(pool.ids, columns, axis=1), np.nan_to_num(scores, nan=-np.inf)


def moved(pool: Pool, final: Floats, columns: Ints, places: Longs) -> Pool:
    """Return the pool with the candidates in `columns` at their `places`, and the other candidates after them.

    final: float32 [Q, K], the scores by which the other candidates are ordered
    columns: int32 [Q, D], columns of the pool
    places: int64 [Q, D], the new place of each of these candidates, from 0
    """
    behind = columns.shape[1] + kernels.ranks(final)
    reordered = -behind
    ranked = ~np.isnan(np.take_along_axis(final, columns, axis=1))
    np.put_along_axis(reordered, columns, np.where(ranked, -places, np.nan).astype(np.float32), axis=1)
    return pool.reordered(reordered)


def unit_range(scores: Floats) -> Floats:
    """Scale the finite scores of each row from 0 to 1; -inf stays."""
    finite = scores > -np.inf
    low = np.min(scores, axis=1, keepdims=True, where=finite, initial=np.inf)
    width = np.max(scores, axis=1, keepdims=True, where=finite, initial=-np.inf) - low
    scaled = np.where(finite, scores, 0) - np.where(finite, low, 0)
    return np.where(finite, scaled / np.where(width > 0, width, 1), -np.inf).astype(np.float32)


def lifted(taken: Bools) -> Longs:
    """Return the place of each candidate, int64 [Q, D], from 0, if the `taken` ones, bool [Q, D], come first.

    The other candidates follow; both groups keep their order.
    """
    return np.argsort(np.argsort(~taken, axis=1, kind="stable"), axis=1)


def placed(pool: Pool, final: Floats, wanted: Longs) -> Pool:
    """Return the pool with some candidates at given places; the others fill the remaining places in their order.

    final: float32 [Q, K], the scores by which the other candidates are ordered
    wanted: int64 [Q, K], the given place of a candidate, from 1 and at most once in a row; 0 for the other candidates
    """
    rows = np.arange(len(wanted))[:, None]
    width = wanted.shape[1] + int(wanted.max(initial=0))
    reserved = np.zeros((len(wanted), width + 1), bool)
    reserved[rows, wanted] = True  # the first column stands for "any place"
    open_places = np.argsort(reserved[:, 1:], axis=1, kind="stable")
    fixed = wanted > 0
    others = kernels.order(np.where(fixed, np.float32(np.nan), final))
    places = np.empty(wanted.shape, np.int64)
    np.put_along_axis(places, others, open_places[:, : wanted.shape[1]], axis=1)
    reordered = np.where(fixed, 1 - wanted, -places).astype(np.float32)
    return pool.reordered(np.where(fixed | ~np.isnan(final), reordered, np.float32(np.nan)))
