"""Alternating least squares for implicit feedback, with closed-form fold-in of any history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import PADDING, Bools, Dataset, Doubles, Floats, Ints, QueryBatch, Sparse, State, Target, VectorModel
from hybridrec_implicit.cold import ColdOptions, with_cold_items
from hybridrec_implicit.columns import ColumnModel, ColumnOptions, one_thread
from hybridrec_implicit.least_squares import LeastSquares, Side, alternate


class ALSOptions(ColumnOptions, ColdOptions):
    """Options of `als`."""

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    regularization: float = Field(20.0, gt=0)
    """Added to the diagonal of each least-squares problem."""
    frequency_power: float = Field(0.0, ge=0, le=1)
    """The regularization of a user or column grows with the sum of its confidences, relative to the mean sum, to this
    power; 0 regularizes all alike."""
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
    the query, x = (Y'Y + Σ (c - 1) y y' + λI)⁻¹ Σ c y, exactly. Confidences c = 1 + alpha w are damped for
    popular columns (`column_power`). Vectors are kept in their principal axes, where Y'Y is diagonal.

    With `frequency_power` ν above 0 the regularization is that of Rendle, Krichene, Zhang and Koren,
    "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022): λ_u = λ (s_u / mean s)^ν,
    s_u = |I| + Σ (c - 1), which is their n_u + α₀|I| times alpha, with α₀ = 1 / alpha. The library has no
    such regularization, so training, too, then solves the least squares exactly, where the library takes three
    steps of conjugate gradients.
    """

    name = "als"
    version = "3"
    refreshes = True
    Config = ALSOptions
    config: ALSOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Factorise the training matrix."""
        confidence, scale = self._counted(data)
        seed = int(rng.integers(2**31))
        factors = (self._scaled if self.config.frequency_power else self._library)(confidence, seed)
        return self._learn(factors, confidence, scale, data)

    def refresh(self, data: Dataset, known: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Half a round more: all users are solved from the vectors as they are, then every column from the users."""
        confidence, scale = self._counted(data)
        factors = np.zeros((confidence.shape[1], self.config.factors), np.float32)
        for target, columns in zip(self.targets, self.split(factors, data).values(), strict=True):  # views
            kept = self._learned_of(target) & (known[target] != PADDING)
            columns[known[target][kept]] = self._vectors[target][kept]
        by_user, by_column = self._sides(confidence)
        for side in (by_user, by_column):
            factors = LeastSquares.of(factors, unobserved=1).solve(*side)
        return self._learn(factors, confidence, scale, data)

    def _counted(self, data: Dataset) -> tuple[Sparse, Floats]:
        """The confidences of the training matrix, csr [users, columns], and the scale of each column."""
        matrix = self.matrix(data.interactions, data.user_tags)
        count = np.bincount(matrix.indices, minlength=matrix.shape[1])
        relative = np.maximum(count, 1) / max(matrix.nnz / max(np.count_nonzero(count), 1), 1)
        scale = (relative**-self.config.column_power).astype(np.float32)
        return self._confidence(matrix, scale), scale

    def _learn(self, factors: Floats, confidence: Sparse, scale: Floats, data: Dataset) -> Self:
        """Become a model with these vectors of columns, float32 [columns, factors]."""
        learned = np.bincount(confidence.indices, minlength=confidence.shape[1]) > 0
        squares = LeastSquares.of(np.where(learned[:, None], factors, np.float32(0)), unobserved=1)
        # Columns nobody has are not learned: without content the model has no opinion on them.
        vectors = self.split(np.where(learned[:, None], squares.columns, np.float32(np.nan)), data)
        if "items" in vectors:
            vectors["items"] = with_cold_items(vectors["items"], data, self.config)
        usual = _mean_sum(confidence, int(np.count_nonzero(learned)))
        shared: State = {"spread": squares.spread, "scale": scale, "learned": learned, "usual": np.array(usual)}
        return self.restore(vectors | shared)

    def _library(self, confidence: Sparse, seed: int) -> Floats:
        """float32 [columns, factors]."""
        with one_thread(self.name):
            from implicit.cpu.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(
                factors=self.config.factors,
                regularization=self.config.regularization,
                iterations=self.config.iterations,
                random_state=seed,
                num_threads=self.threads,  # each row is solved on one: it is the same for any number of them
            )
            model.fit(confidence, show_progress=False)
        return model.item_factors

    def _scaled(self, confidence: Sparse, seed: int) -> Floats:
        """float32 [columns, factors], with regularization by frequency."""
        normal = np.random.default_rng(seed).standard_normal((confidence.shape[1], self.config.factors), np.float32)
        start = normal * np.float32(0.1 / np.sqrt(self.config.factors))
        return alternate(*self._sides(confidence), start, unobserved=1, iterations=self.config.iterations)

    def _sides(self, confidence: Sparse) -> tuple[Side, Side]:
        """The least squares of all users, and those of all columns."""
        users, columns = (int(np.count_nonzero(confidence.getnnz(axis))) for axis in (1, 0))
        by_user, by_column = (
            Side(known, known.data - 1, self._ridge(known, others, _mean_sum(known, others)))
            for known, others in ((confidence, columns), (confidence.T.tocsr(), users))
        )
        return by_user, by_column

    def _ridge(self, confidence: Sparse, others: int, usual: float) -> Doubles:
        """float64 [rows]: λ of each row, of which `usual` is the mean sum of confidences."""
        return self.config.regularization * (_sums(confidence, others) / usual) ** self.config.frequency_power

    def state(self) -> State:
        """float32 [N, factors] per target, rows of NaN for what has no vector; the eigenvalues of Y'Y, the scale of
        the columns, bool [columns] of those that training has seen, and the mean sum of a user's confidences."""
        return self._vectors | {
            "spread": self._squares.spread, "scale": self._scale, "learned": self._learned, "usual": self._usual
        }  # fmt: skip

    def restore(self, state: State) -> Self:
        """Take the vectors; what queries are folded in with is the stored array itself, if there is one target."""
        self._scale, self._learned, self._usual = state["scale"], state["learned"], state["usual"]
        self._vectors: State = {target: np.asarray(state[target], np.float32) for target in self.targets}
        columns = list(self._vectors.values())
        self._squares = LeastSquares(state["spread"], columns[0] if len(columns) == 1 else np.concatenate(columns))
        return self

    def _learned_of(self, target: Target) -> Bools:
        """bool[N]: the ids of a target that training has seen."""
        sizes = [len(self._vectors[other]) for other in self.targets]
        parts = np.split(self._learned, np.cumsum(sizes)[:-1])
        return parts[self.targets.index(target)]

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
        known = self._confidence(self.matrix(queries.history, queries.tags), self._scale)
        known.data[~self._learned[known.indices]] = 0
        known.eliminate_zeros()
        ridge = self._ridge(known, int(np.count_nonzero(self._learned)), float(self._usual))
        vectors = self._squares.solve(known, known.data - 1, ridge)
        vectors[known.getnnz(axis=1) == 0] = np.nan
        return vectors

    def _confidence(self, matrix: Sparse, scale: Floats) -> Sparse:
        """The matrix with the confidence in each value; rows and columns are those of the matrix itself, no copies."""
        confidence = 1 + np.float32(self.config.alpha) * matrix.data * scale[matrix.indices]
        return csr_matrix((confidence, matrix.indices, matrix.indptr), shape=matrix.shape)


def _sums(confidence: Sparse, others: int) -> Doubles:
    """float64 [rows]: the confidences of each row, with 1 for those of `others` that it has not."""
    return others + np.asarray(confidence.sum(axis=1, dtype=np.float64)).ravel() - np.diff(confidence.indptr)


def _mean_sum(confidence: Sparse, others: int) -> float:
    """The mean of `_sums` over the rows that have any entry; 1 if none has."""
    filled = np.diff(confidence.indptr) > 0
    return float(_sums(confidence, others)[filled].mean()) if filled.any() else 1.0
