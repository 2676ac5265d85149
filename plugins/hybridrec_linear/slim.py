"""`slim`: a sparse linear model, which predicts each item from others by few positive weights."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, diags, vstack

from hybridrec import PADDING, Dataset, Floats, Ints, Sparse
from hybridrec_linear.joint_columns import Columns, ScaledColumnOptions
from hybridrec_linear.linear_model import SparseLinearModel, strongest_others

_CELLS = 1 << 22
"""Number of entries of small Gram matrices held in memory at a time."""
_STILL = 1e-4
"""Largest change of a weight at which descent counts as converged."""


class SlimOptions(ScaledColumnOptions):
    """Options of `slim`: the penalties on weights, the neighbours, and the columns of the training matrix."""

    l1: float = Field(0.1, ge=0)
    """Penalty on the sum of the weights: with higher values fewer columns predict another one."""
    l2: float = Field(15.0, ge=1e-9, le=1e12)
    """Penalty on the squared weights: with higher values similar columns share their weight more evenly."""
    neighbours: int = Field(100, ge=1)
    """Number of columns, the most similar by cosine, that may predict another one; time grows with its square."""
    sweeps: int = Field(20, ge=1)
    """Largest number of updates of each weight; descent ends earlier once weights stop changing."""


class Slim(SparseLinearModel):
    """SLIM (Ning and Karypis 2011): prediction of each column from others by few, non-negative weights.

    For each column x_j of the training matrix X the weights b minimize

        |x_j - X b|^2 / 2 + l2 |b|^2 / 2 + l1 sum(b),    b >= 0

    by coordinate descent over its nearest `neighbours` (the paper's feature selection, fsSLIM); all other weights
    are 0. With as many neighbours as columns it is SLIM without selection.
    """

    name = "slim"
    Config = SlimOptions
    config: SlimOptions

    def learn(self, rows: Sparse, n: int) -> None:
        """Solve for the weights that predict the first n columns, a block of columns at a time."""
        gram = (rows.T @ rows).tocsr()
        gram.sort_indices()
        nearest = _nearest(gram, n, self.config.neighbours)
        step = max(_CELLS // nearest.shape[1] ** 2, 1)
        blocks = [self._solve(gram, nearest[start : start + step], start) for start in range(0, n, step)]
        self._weights = vstack(blocks, format="csr", dtype=np.float32).T.tocsr()

    def _solve(self, gram: Sparse, ids: Ints, start: int) -> Sparse:
        """Solve for the weights, csr [B, C], that predict the B columns from `start` on.

        Each is predicted by its K neighbours alone, the columns in its row of `ids`, int32 [B, K].
        """
        valid, ids = ids != PADDING, np.maximum(ids, 0)
        columns = np.arange(start, start + len(ids), dtype=np.int32)
        among = _entries(gram, ids[:, :, None], ids[:, None, :])
        towards = np.where(valid, _entries(gram, ids, columns[:, None]), 0)
        options = self.config
        weights = descend(among, towards - np.float32(options.l1), options.l2, options.sweeps)
        places = np.nonzero(weights)
        return csr_matrix((weights[places], (places[0], ids[places])), shape=(len(ids), gram.shape[0]))

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of all pairs of columns with a common row, held three times, and of a block of systems."""
        columns, rows = Columns.learn(data, self.config)
        pairs = min(int((np.diff(rows.indptr).astype(np.float64) ** 2).sum()), len(columns.ids) ** 2)
        return 40 * pairs + 32 * _CELLS

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: pairs of columns with a common row, and a system for each column."""
        columns, rows = Columns.learn(data, self.config)
        pairs = float((np.diff(rows.indptr).astype(np.float64) ** 2).sum())
        return 2e-8 * pairs + 6e-8 * len(columns.ids) * min(self.config.neighbours, len(columns.ids)) ** 2


def descend(gram: Floats, left: Floats, l2: float, sweeps: int) -> Floats:
    """Return the weights, float32 [B, K], not negative, of B small systems by simultaneous coordinate descent.

    `gram`, float32 [B, K, K], is X'X of each system's columns; `left`, float32 [B, K], is X'y - l1, and is
    overwritten. Weight k becomes max(0, (left_k - sum over others of gram_kl b_l) / (gram_kk + l2)).
    """
    weights = np.zeros_like(left)
    own = np.diagonal(gram, axis1=1, axis2=2)
    for _ in range(sweeps):
        before = weights.copy()
        for k in range(left.shape[1]):
            best = np.maximum((left[:, k] + own[:, k] * weights[:, k]) / (own[:, k] + np.float32(l2)), 0)
            left -= (best - weights[:, k])[:, None] * gram[:, k]
            weights[:, k] = best
        if np.abs(weights - before).max(initial=0) < _STILL:
            break
    return weights


def _nearest(gram: Sparse, n: int, k: int) -> Ints:
    """Find the k columns most similar by cosine to each of the first n: int32 [n, at most k], padded with -1."""
    own = gram.diagonal()
    scale = diags(np.divide(1, np.sqrt(own), out=np.zeros_like(own), where=own > 0))
    nearest = strongest_others(((scale @ gram)[:n] @ scale).tocsr(), k)
    counts = np.diff(nearest.indptr)
    ids = np.full((n, int(counts.max(initial=1))), PADDING, np.int32)
    ids[np.arange(ids.shape[1]) < counts[:, None]] = nearest.indices
    return ids


def _entries(matrix: Sparse, rows: Ints, columns: Ints) -> Floats:
    """Return `matrix[rows, columns]` as a dense array, with `rows` and `columns` broadcast against each other."""
    rows, columns = np.broadcast_arrays(rows, columns)
    return np.asarray(matrix[rows.flatten(), columns.flatten()], np.float32).reshape(rows.shape)
