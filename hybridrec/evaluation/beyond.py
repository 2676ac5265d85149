"""Metrics beyond accuracy: how much of the catalogue is used, how novel and how diverse slates are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags

from hybridrec.arrays import PADDING, Doubles, Ints, Longs, Sparse
from hybridrec.evaluation.metrics import Judged, Metric, SetMetric

_BLOCK_ENTRIES = 1 << 23
"""Stored entries of the largest intermediate matrix (about 100 MB)."""


class Coverage(SetMetric):
    """Coverage@k: the share of the recommendable ids that stand in the first k of any slate of the run.

    Catalogue coverage of Ge, Delgado-Battenfeld and Jannach (2010). Recommendable is what any fold's
    `universe` allows. It grows with the number of queries, so compare it only among arms of one run.
    """

    name = "coverage"

    def value(self, folds: Sequence[Judged], k: int) -> float:
        """Distinct recommended ids over recommendable ids; NaN if nothing may be recommended."""
        width = max((fold.truth.shape[1] for fold in folds), default=0)
        shown, allowed = np.zeros(width, bool), np.zeros(width, bool)
        for fold in folds:
            ids = fold.ids[:, :k]
            shown[ids[ids != PADDING]] = True
            allowed |= True if fold.universe is None else fold.universe
        return float((shown & allowed).sum() / allowed.sum()) if allowed.any() else float("nan")


class Novelty(Metric):
    """Novelty@k: mean of -log2 p(id) over the first k, in bits; NaN for an empty slate.

    p(id) = (training users with the id + 1) / (training users + 1), the smoothed popularity share:
    mean self-information of Zhou et al. (2010). 0 is what everybody knows.
    """

    name = "novelty"

    def values(self, judged: Judged, k: int) -> Doubles:
        """float64 [Q]."""
        known = _known_by(judged)
        users = np.count_nonzero(known.getnnz(axis=1))
        surprise = -np.log2((known.getnnz(axis=0) + 1) / (users + 1))
        ids = judged.ids[:, :k]
        valid = ids != PADDING
        total = np.where(valid, surprise[np.maximum(ids, 0)], 0.0).sum(axis=1)
        return _ratio(total, valid.sum(axis=1))


class Diversity(Metric):
    """Diversity@k: 1 - mean cosine similarity of all pairs in the first k; NaN for fewer than two ids.

    Intra-list diversity of Ziegler et al. (2005), each id being the vector of the training users who
    have it (0 or 1). An id that no training user has is unlike every other.
    """

    name = "diversity"

    def values(self, judged: Judged, k: int) -> Doubles:
        """float64 [Q]."""
        known = _known_by(judged)
        popularity = known.getnnz(axis=0).astype(np.int64)
        vectors = (diags(1 / np.sqrt(np.maximum(popularity, 1))) @ known.T).tocsr()
        ids = judged.ids[:, :k]
        costs = np.where(ids != PADDING, popularity[np.maximum(ids, 0)], 0)
        # With unit vectors, the sum over ordered pairs is |sum of vectors|^2 - number of vectors.
        squared = np.concatenate(
            [_squared_sums(ids[rows], vectors) for rows in _blocks(costs.sum(axis=1), _BLOCK_ENTRIES)]
        )
        pairs = squared - (costs > 0).sum(axis=1)
        n = (ids != PADDING).sum(axis=1)
        return 1 - _ratio(pairs, n * (n - 1))


def _known_by(judged: Judged) -> Sparse:
    """csr [U, N] of ones: which training user has which id of the target."""
    train = judged.train
    if judged.target == "items":
        return train.interactions.matrix(binary=True)
    return (train.user_tags > 0).astype(np.float32).tocsr()


def _squared_sums(ids: Ints, vectors: Sparse) -> Doubles:
    """float64 [Q]: squared length of the sum of `vectors[ids[q, j]]` over j, padding left out."""
    rows, places = np.nonzero(ids != PADDING)
    picker = csr_matrix((np.ones(len(rows)), (rows, ids[rows, places])), shape=(len(ids), vectors.shape[0]))
    sums = picker @ vectors
    return np.asarray(sums.multiply(sums).sum(axis=1), np.float64).ravel()


def _blocks(costs: Longs, budget: int) -> list[Longs]:
    """Consecutive row numbers, cut so that the costs of a block stay near `budget`."""
    cuts = np.flatnonzero(np.diff(np.cumsum(costs) // budget)) + 1
    return np.split(np.arange(len(costs)), cuts)


def _ratio(numerator: Doubles, denominator: Longs) -> Doubles:
    """Element-wise, NaN where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)


BEYOND_METRICS: tuple[type[Metric], ...] = (Coverage, Novelty, Diversity)
