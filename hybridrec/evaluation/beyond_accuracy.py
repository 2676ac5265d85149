"""Metrics beyond accuracy: evenness of exposure, novelty, diversity and calibration of slates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags

from hybridrec.evaluation.metrics import EvalBatch, Metric, SetMetric
from hybridrec.types import PADDING, Doubles, Ints, Longs, Sparse

_BLOCK_ENTRIES = 1 << 23
"""Stored entries of the largest intermediate matrix (about 100 MB)."""


class Coverage(SetMetric):
    """Coverage@k: the share of recommendable ids that are among the first k ids of any slate of the run.

    It is the catalogue coverage of Ge, Delgado-Battenfeld and Jannach (2010). An id is recommendable if the
    `candidate_items` of any fold allows it. Coverage grows with the number of queries, so compare it only between arms
    of one run.
    """

    name = "coverage"

    def value(self, folds: Sequence[EvalBatch], k: int) -> float:
        """Return the share of recommendable ids that are in any slate; NaN if no id is recommendable."""
        width = max((fold.truth.shape[1] for fold in folds), default=0)
        shown, allowed = np.zeros(width, bool), np.zeros(width, bool)
        for fold in folds:
            ids = fold.ids[:, :k]
            shown[ids[ids != PADDING]] = True
            allowed |= True if fold.candidate_items is None else fold.candidate_items
        return float((shown & allowed).sum() / allowed.sum()) if allowed.any() else float("nan")


class Novelty(Metric):
    """Novelty@k: the mean of -log2 p(id) over the first k ids, in bits; NaN for an empty slate.

    p(id) = (training users with the id + 1) / (training users + 1) is the smoothed share of users who have the id. Its
    -log2 is the self-information of Zhou et al. (2010), which is 0 for an id that every user has.
    """

    name = "novelty"

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the novelty of each slate: float64 [Q], NaN for an empty slate."""
        histories = _known_by(eval_batch)
        users = np.count_nonzero(histories.getnnz(axis=1))
        surprise = -np.log2((histories.getnnz(axis=0) + 1) / (users + 1))
        ids = eval_batch.ids[:, :k]
        valid = ids != PADDING
        total = np.where(valid, surprise[np.maximum(ids, 0)], 0.0).sum(axis=1)
        return _ratio(total, valid.sum(axis=1))


class Diversity(Metric):
    """Diversity@k: 1 minus the mean cosine similarity of all pairs of the first k ids; NaN for fewer than two ids.

    It is the intra-list diversity of Ziegler et al. (2005). The vector of an id has for each training user a 1 if the
    user has the id, else a 0. The similarity of an id that no training user has to any other id is 0.
    """

    name = "diversity"

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the diversity of each slate: float64 [Q], NaN for fewer than two ids."""
        vectors = _units(self.described(eval_batch))
        ids = eval_batch.ids[:, :k]
        costs = np.where(ids != PADDING, np.diff(vectors.indptr).astype(np.int64)[np.maximum(ids, 0)], 0)
        # With unit vectors, the sum over ordered pairs is |sum of vectors|^2 - number of vectors.
        squared = np.concatenate(
            [_squared_sums(ids[rows], vectors) for rows in _blocks(costs.sum(axis=1), _BLOCK_ENTRIES)]
        )
        pairs = squared - (costs > 0).sum(axis=1)
        n = (ids != PADDING).sum(axis=1)
        return 1 - _ratio(pairs, n * (n - 1))

    def described(self, eval_batch: EvalBatch) -> Sparse:
        """Return the vector of each id of the target, by which ids are compared: csr [N, D]."""
        return _known_by(eval_batch).T.tocsr()


class TagDiversity(Diversity):
    """Tag-diversity@k: 1 minus the mean cosine similarity of all pairs of the first k items; NaN for fewer than two.

    It is the intra-list diversity of Ziegler et al. (2005), where the vector of an item has the weights of its tags.
    The similarity of an item without tags to any other item is 0. The metric is NaN for recommended tags, which have
    no tags themselves.
    """

    name = "tag-diversity"

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the diversity of each slate by tags: float64 [Q].

        The value is NaN for fewer than two items, and for all queries if the target is not items.
        """
        return super().values(eval_batch, k) if eval_batch.target == "items" else np.full(len(eval_batch.ids), np.nan)

    def described(self, eval_batch: EvalBatch) -> Sparse:
        """Return the weighted tags of each item as its vector: csr [I, T]."""
        return eval_batch.train.item_matrix("tags").astype(np.float64)


class CalibrationError(Metric):
    """Calibration-error@k: the divergence of the slate's tags from the tags of the query's history; less is better.

    The divergence is KL(p || 0.99 q + 0.01 p) in nats (Steck 2018). The weights of the tags of each item are scaled to
    sum 1. Then p is their sum over the items of the history, scaled to sum 1 again, and q is their mean over the first
    k items of the slate, in which items without tags count as zeros. The metric is NaN if the history has no tags, for
    an empty slate, and for recommended tags.
    """

    name = "calibration-error"
    higher_is_better = False

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the calibration error of each slate: float64 [Q], NaN where it is not defined (see the class)."""
        result = np.full(len(eval_batch.ids), np.nan)
        if eval_batch.queries is None or eval_batch.target != "items":
            return result
        shares = _scaled(eval_batch.train.item_matrix("tags").astype(np.float64))
        wanted = _scaled(eval_batch.queries.history.matrix().astype(np.float64) @ shares)
        ids = eval_batch.ids[:, :k]
        count = (ids != PADDING).sum(axis=1)
        slate = _sums(ids, shares)
        rows = np.repeat(np.arange(len(ids)), np.diff(wanted.indptr))
        given = np.asarray(slate[rows, wanted.indices]).ravel() / np.maximum(count, 1)[rows]
        terms = wanted.data * np.log(wanted.data / (0.99 * given + 0.01 * wanted.data))
        defined = (np.diff(wanted.indptr) > 0) & (count > 0)
        result[defined] = np.bincount(rows, terms, len(ids))[defined]
        return result


class ExposureGini(SetMetric):
    """Exposure-gini@k: how unevenly the first k places of all slates expose the recommendable ids; less is better.

    It is the Gini coefficient of the exposure of ids. An id at place j of a slate is exposed by 1 / log2(1 + j) (Singh
    and Joachims 2018). The coefficient is 0 if all ids are exposed equally, and near 1 if one id has all exposure. Like
    coverage it depends on the number of queries.
    """

    name = "exposure-gini"
    higher_is_better = False

    def value(self, folds: Sequence[EvalBatch], k: int) -> float:
        """Return the Gini coefficient of exposure; NaN if there are no candidate items or no recommendations."""
        width = max((fold.truth.shape[1] for fold in folds), default=0)
        exposure, allowed = np.zeros(width), np.zeros(width, bool)
        for fold in folds:
            rows, places = np.nonzero(fold.ids[:, :k] != PADDING)
            exposure += np.bincount(fold.ids[rows, places], 1 / np.log2(places + 2), width)
            allowed |= True if fold.candidate_items is None else fold.candidate_items
        ascending = np.sort(exposure[allowed])
        n, total = len(ascending), ascending.sum()
        if not total:
            return float("nan")
        return float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))


def _known_by(eval_batch: EvalBatch) -> Sparse:
    """Return a matrix with a 1 for each training user and each id of the target that the user has: csr [U, N]."""
    train = eval_batch.train
    if eval_batch.target == "items":
        return train.interactions.matrix(binary=True)
    return (train.user_matrix("tags") > 0).astype(np.float32).tocsr()


def _squared_sums(ids: Ints, vectors: Sparse) -> Doubles:
    """Compute for each query the squared length of the sum of the vectors of its ids: float64 [Q].

    `ids`, int32 [Q, k], are padded with -1, which has no vector; `vectors`, csr [N, D], has a row for each of N ids.
    """
    sums = _sums(ids, vectors)
    return np.asarray(sums.multiply(sums).sum(axis=1), np.float64).ravel()


def _sums(ids: Ints, vectors: Sparse) -> Sparse:
    """Compute for each query the sum of the vectors of its ids: csr [Q, D].

    `ids`, int32 [Q, k], are padded with -1, which has no vector; `vectors`, csr [N, D], has a row for each of N ids.
    """
    rows, places = np.nonzero(ids != PADDING)
    picker = csr_matrix((np.ones(len(rows)), (rows, ids[rows, places])), shape=(len(ids), vectors.shape[0]))
    return (picker @ vectors).tocsr()


def _units(rows: Sparse) -> Sparse:
    """Scale each row to length 1 and drop explicit zeros: csr float64."""
    squares = np.asarray(rows.multiply(rows).sum(axis=1), np.float64).ravel()
    return _times(1 / np.sqrt(np.where(squares > 0, squares, 1)), rows)


def _scaled(rows: Sparse) -> Sparse:
    """Scale each row to sum 1 and drop explicit zeros: csr float64."""
    sums = np.asarray(rows.sum(axis=1), np.float64).ravel()
    return _times(1 / np.where(sums > 0, sums, 1), rows)


def _times(factors: Doubles, rows: Sparse) -> Sparse:
    result = (diags(factors) @ rows).tocsr()
    result.eliminate_zeros()
    return result


def _blocks(costs: Longs, budget: int) -> list[Longs]:
    """Split the row numbers 0, 1, ... into consecutive blocks whose rows have a total cost of about `budget`."""
    ends = np.flatnonzero(np.diff(np.cumsum(costs) // budget)) + 1
    return np.split(np.arange(len(costs)), ends)


def _ratio(numerator: Doubles, denominator: Longs) -> Doubles:
    """Divide element by element; NaN where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)


BEYOND_METRICS: tuple[type[Metric], ...] = (
    Coverage,
    Novelty,
    Diversity,
    TagDiversity,
    CalibrationError,
    ExposureGini,
)
