"""Alternating least squares for implicit feedback, with closed-form fold-in of any history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, Doubles, Floats, Longs, QueryBatch, Sparse, State, Target, VectorModel
from hybridrec_implicit.columns import ColumnModel, ColumnOptions, one_thread

_BLOCK_BYTES = 1 << 26
"""What one block of the fold-in may hold at a time."""


class ALSOptions(ColumnOptions):
    """Options of `als`."""

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    regularization: float = Field(20.0, gt=0)
    """Added to the diagonal of each least-squares problem."""
    alpha: float = Field(10.0, gt=0)
    """Confidence in a value w is 1 + alpha * w; in the absence of one it is 1."""
    column_power: float = Field(0.25, ge=0, le=1)
    """Values are divided by their column's count, relative to the mean count, to this power: popular items say less."""
    iterations: int = Field(15, gt=0)
    """Rounds of solving for users, then for columns."""


class ALS(ColumnModel, VectorModel):
    """Matrix factorisation by alternating least squares.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008). Queries of
    known and unknown users are served alike: the user vector is solved from the history and tags in
    the query, x = (Y'Y + Σ (c - 1) y y' + λI)⁻¹ Σ c y, the step that training itself takes. Confidences
    c = 1 + alpha w are damped for popular columns (`column_power`).
    """

    name = "als"
    Config = ALSOptions
    config: ALSOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Factorise the training matrix."""
        with one_thread(self.name):
            from implicit.cpu.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(
                factors=self.config.factors,
                regularization=self.config.regularization,
                iterations=self.config.iterations,
                random_state=int(rng.integers(2**31)),
                num_threads=1,
            )
            matrix = self.matrix(data.interactions, data.user_tags)
            count = np.bincount(matrix.indices, minlength=matrix.shape[1])
            relative = np.maximum(count, 1) / max(matrix.nnz / max(np.count_nonzero(count), 1), 1)
            self._scale = (relative**-self.config.column_power).astype(np.float32)
            model.fit(self._confidence(matrix), show_progress=False)
        # Columns nobody has get no vector: the model has no opinion on them.
        factors = np.where(count[:, None] > 0, model.item_factors, np.float32(np.nan))
        return self.restore(self.split(factors, data) | {"scale": self._scale})

    def state(self) -> State:
        """float32 [N, factors] per target, rows of NaN for what nobody has; and the scale of the columns."""
        return self._vectors | {"scale": self._scale}

    def restore(self, state: State) -> Self:
        """Take the vectors and prepare the fold-in."""
        self._scale = state["scale"]
        self._vectors: State = {target: np.asarray(state[target], np.float32) for target in self.targets}
        stacked = np.concatenate(list(self._vectors.values()))
        self._learned = ~np.isnan(stacked[:, 0])
        self._columns = np.nan_to_num(stacked).astype(np.float64)
        ridge = self.config.regularization * np.eye(stacked.shape[1])
        self._gram = self._columns.T @ self._columns + ridge
        return self

    def memory(self, data: Dataset) -> int:
        """Both factor matrices, and the training matrix by rows and by columns."""
        entries = len(data.interactions.ids) + data.user_tags.nnz
        rows = len(data.users) + len(data.items) + len(data.tags)
        return 4 * rows * self.config.factors + 24 * entries

    def vectors(self, target: Target) -> Floats:
        """float32 [N, factors]."""
        return self._vectors[target]

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, factors]; NaN where nothing in the query was seen in training."""
        known = self._confidence(self.matrix(queries.history, queries.tags))
        known.data[~self._learned[known.indices]] = 0
        known.eliminate_zeros()
        result = np.full((len(queries), self._columns.shape[1]), np.nan, np.float32)
        for rows, width in _blocks(np.diff(known.indptr), self._columns.shape[1]):
            result[rows] = self._solve(known[rows], width)
        return result

    def _solve(self, known: Sparse, width: int) -> Doubles:
        """User vectors for the confidences in `known`, csr [B, columns] with at most `width` in a row."""
        lengths = np.diff(known.indptr)
        filled = np.arange(width) < lengths[:, None]
        ids = np.zeros(filled.shape, np.int32)
        confidence = np.zeros(filled.shape)
        ids[filled], confidence[filled] = known.indices, known.data
        picked = self._columns[ids]
        extra = np.where(filled, confidence - 1, 0)[:, :, None] * picked
        left = self._gram + picked.swapaxes(1, 2) @ extra
        right = picked.swapaxes(1, 2) @ confidence[:, :, None]
        return np.linalg.solve(left, right)[:, :, 0]

    def _confidence(self, matrix: Sparse) -> Sparse:
        confident = matrix.copy()
        confident.data = 1 + np.float32(self.config.alpha) * matrix.data * self._scale[matrix.indices]
        return confident


def _blocks(lengths: Longs, factors: int) -> Iterator[tuple[Longs, int]]:
    """Rows of similar length, and the greatest length among them; rows of length 0 are left out."""
    rows = np.argsort(lengths, kind="stable")
    rows = rows[lengths[rows] > 0]
    while len(rows):
        # Take half of what is left at most, so that short rows are not padded to the longest.
        bytes_each = 8 * factors * (2 * lengths[rows] + 2 * factors)
        fitting = np.searchsorted(bytes_each * np.arange(1, len(rows) + 1), _BLOCK_BYTES, side="right")
        size = max(1, min(int(fitting), (len(rows) + 1) // 2))
        yield rows[:size], int(lengths[rows[size - 1]])
        rows = rows[size:]
