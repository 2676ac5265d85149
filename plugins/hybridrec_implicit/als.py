"""Alternating least squares for implicit feedback, with closed-form fold-in of any history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, Floats, QueryBatch, Sparse, State, Target, VectorModel
from hybridrec_implicit.columns import ColumnModel, ColumnOptions, one_thread

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares


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
            model = self._model(int(rng.integers(2**31)))
            model.num_threads = self.threads  # each row is solved on one: it is the same for any number of them
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
        columns = list(self._vectors.values())
        stacked = columns[0] if len(columns) == 1 else np.concatenate(columns)
        self._learned = ~np.isnan(stacked[:, 0])
        with one_thread(self.name):
            self._solver = self._model(0)
            self._solver.item_factors = stacked if self._learned.all() else np.nan_to_num(stacked)
            _ = self._solver.YtY  # computed once, before threads ask for it
        return self

    def _model(self, seed: int) -> AlternatingLeastSquares:
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.config.factors,
            regularization=self.config.regularization,
            iterations=self.config.iterations,
            random_state=seed,
            num_threads=1,
        )

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
        vectors = self._solver.recalculate_user(np.arange(len(queries)), known)
        vectors[known.getnnz(axis=1) == 0] = np.nan
        return vectors

    def _confidence(self, matrix: Sparse) -> Sparse:
        confident = matrix.copy()
        confident.data = 1 + np.float32(self.config.alpha) * matrix.data * self._scale[matrix.indices]
        return confident
