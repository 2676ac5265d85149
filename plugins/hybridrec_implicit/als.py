"""`als`: alternating least squares for implicit feedback, which fold in any query in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import (
    ITEMS,
    PADDING,
    Bools,
    Dataset,
    Doubles,
    Floats,
    Ints,
    QueryBatch,
    SimilarityOptions,
    Sparse,
    State,
    Target,
    kernels,
    make_csr,
)
from hybridrec_implicit.cold import ColdOptions, with_cold_items
from hybridrec_implicit.column_model import ColumnModel, ColumnOptions, one_thread
from hybridrec_implicit.least_squares import LeastSquares, Side, alternate
from hybridrec_implicit.other_similarity import Factorization


class ALSOptions(ColumnOptions, ColdOptions, SimilarityOptions):
    """Options of `als`: the size of the vectors, the regularization, and the confidence in the entries."""

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    regularization: float = Field(20.0, ge=1e-9, le=1e12)
    """Value added to the diagonal of each least-squares problem."""
    frequency_power: float = Field(0.0, ge=0, le=1)
    """The regularization of a user or column is multiplied by f to this power, where f is the sum of its confidences
    divided by the mean sum; 0 regularizes all equally."""
    alpha: float = Field(3.0, gt=0)
    """Confidence in a value w is 1 + alpha * w; in a missing value it is 1."""
    column_power: float = Field(0.25, ge=0, le=1)
    """Power of a column's number of users, relative to the mean number, by which its values are divided, so that
    popular items weigh less."""
    iterations: int = Field(15, ge=1, le=1_000_000)
    """Rounds of solving for users, then for columns."""


class ALS(ColumnModel, Factorization):
    """Matrix factorization by alternating least squares.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008). Known and unknown users
    are served alike: the user vector is solved exactly from the history and tags in the query, x = (Y'Y + Σ (c - 1) y
    y' + λI)⁻¹ Σ c y. Confidences c = 1 + alpha w are damped for popular columns (`column_power`). Vectors are stored in
    their principal axes, where Y'Y is diagonal.

    With `frequency_power` ν above 0 the regularization is that of Rendle, Krichene, Zhang and Koren, "Revisiting the
    Performance of iALS on Item Recommendation Benchmarks" (2022): λ_u = λ (s_u / mean s)^ν with s_u = |I| + Σ (c - 1).
    This s_u is alpha times their n_u + α₀|I|, where α₀ = 1 / alpha. The library lacks this regularization, so training
    is done here, with exact solutions where the library takes three steps of conjugate gradients.
    """

    name = "als"
    version = "3"
    refreshes = True
    Config = ALSOptions
    config: ALSOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Factorize the training matrix; return self."""
        confidence, scale = self._counted(data)
        seed = int(rng.integers(2**31))
        factors = (self._scaled if self.config.frequency_power else self._library)(confidence, seed)
        return self._learn(factors, confidence, scale, data)

    def refresh(self, data: Dataset, new_codes: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Run one more round on the grown data: solve for all users from the current vectors, then for all columns."""
        confidence, scale = self._counted(data)
        factors = np.zeros((confidence.shape[1], self.config.factors), np.float32)
        for target, columns in self.split(factors, data).items():  # views, not copies
            if target not in self._vectors:  # a kind that the data before did not have
                continue
            kept = self._learned_of(target) & (new_codes[target] != PADDING)
            columns[new_codes[target][kept]] = self._vectors[target][kept]
        by_user, by_column = self._sides(confidence)
        for side in (by_user, by_column):
            factors = LeastSquares.of(factors, unobserved=1).solve(*side)
        return self._learn(factors, confidence, scale, data)

    def _counted(self, data: Dataset) -> tuple[Sparse, Floats]:
        """Return the confidences of the training matrix, csr [users, columns], and the columns' scales, float32."""
        self.kinds = self.kinds_of(data)
        matrix = self.matrix(data)
        count = np.bincount(matrix.indices, minlength=matrix.shape[1])
        relative = np.maximum(count, 1) / max(matrix.nnz / max(np.count_nonzero(count), 1), 1)
        scale = (relative**-self.config.column_power).astype(np.float32)
        return self._confidence(matrix, scale), scale

    def _learn(self, factors: Floats, confidence: Sparse, scale: Floats, data: Dataset) -> Self:
        """Take these column vectors, float32 [columns, factors], as those of the fitted model; return self."""
        learned = np.bincount(confidence.indices, minlength=confidence.shape[1]) > 0
        squares = LeastSquares.of(np.where(learned[:, None], factors, np.float32(0)), unobserved=1)
        # Columns that nobody has are not learned: without content the model has no opinion on them.
        vectors = self.split(np.where(learned[:, None], squares.columns, np.float32(np.nan)), data)
        if "items" in vectors:
            vectors["items"] = with_cold_items(vectors["items"], data, self.config)
        usual = _mean_sum(confidence, int(np.count_nonzero(learned)))
        kinds = np.array(self.kinds)
        shared: State = {
            "kinds": kinds,
            "spread": squares.spread,
            "scale": scale,
            "learned": learned,
            "usual": np.array(usual),
        }
        return self.restore(vectors | shared)

    def _library(self, confidence: Sparse, seed: int) -> Floats:
        """Factorize by the library `implicit` and return the column vectors: float32 [columns, factors]."""
        with one_thread(self.name):
            from implicit.cpu.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(
                factors=self.config.factors,
                regularization=self.config.regularization,
                iterations=self.config.iterations,
                random_state=seed,
                num_threads=self.threads,  # solved row by row: the same for any number
            )
            model.fit(confidence, show_progress=False)
        return model.item_factors

    def _scaled(self, confidence: Sparse, seed: int) -> Floats:
        """Factorize with regularization scaled by `frequency_power`: column vectors, float32 [columns, factors]."""
        normal = np.random.default_rng(seed).standard_normal((confidence.shape[1], self.config.factors), np.float32)
        start = normal * np.float32(0.1 / np.sqrt(self.config.factors))
        return alternate(*self._sides(confidence), start, unobserved=1, iterations=self.config.iterations)

    def _sides(self, confidence: Sparse) -> tuple[Side, Side]:
        """Return the least-squares problems of all users and of all columns."""
        users, columns = (int(np.count_nonzero(confidence.getnnz(axis))) for axis in (1, 0))
        by_user, by_column = (
            Side(entries, entries.data - 1, self._ridge(entries, others, _mean_sum(entries, others)))
            for entries, others in ((confidence, columns), (confidence.T.tocsr(), users))
        )
        return by_user, by_column

    def _ridge(self, confidence: Sparse, others: int, usual: float) -> Doubles:
        """Return the regularization λ of each row, float64 [rows]; `usual` is the mean of `_sums`."""
        if not self.config.frequency_power:  # all powers are 1
            return np.full(confidence.shape[0], self.config.regularization, np.float64)
        return self.config.regularization * (_sums(confidence, others) / usual) ** self.config.frequency_power

    def state(self) -> State:
        """Return the vectors of each target, float32 [N, factors], and the arrays that fold queries in.

        Ids without a vector have rows of NaN. The other arrays are the eigenvalues of Y'Y, the scale of the columns, a
        mask of the columns seen in training, and the mean sum of a user's confidences.
        """
        return self._vectors | {
            "kinds": np.array(self.kinds),
            "spread": self._squares.spread,
            "scale": self._scale,
            "learned": self._learned,
            "usual": self._usual,
        }

    def restore(self, state: State) -> Self:
        """Take the vectors and the arrays that fold queries in from `state`; return self.

        With a single target, queries are folded in with the stored array itself, not a copy.
        """
        self._scale, self._learned, self._usual = state["scale"], state["learned"], state["usual"]
        self._n_learned = int(np.count_nonzero(self._learned))
        self.kinds = tuple(map(str, state["kinds"]))
        self._vectors: State = {target: np.asarray(state[target], np.float32) for target in self.kinds}
        self._places = {target: self.config.places(vectors) for target, vectors in self._vectors.items()}
        columns = list(self._vectors.values())
        self._squares = LeastSquares(state["spread"], columns[0] if len(columns) == 1 else np.concatenate(columns))
        return self

    def _learned_of(self, target: Target) -> Bools:
        """Return bool [N]: true for the ids of a target that training has seen."""
        sizes = [len(self._vectors[other]) for other in self.kinds]
        parts = np.split(self._learned, np.cumsum(sizes)[:-1])
        return parts[self.kinds.index(target)]

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of both factor matrices, and of the training matrix by rows and by columns."""
        kinds = self.kinds_of(data)
        entries = len(data.interactions.ids) + sum(data.user_matrix(kind).nnz for kind in kinds if kind != ITEMS)
        rows = len(data.users) + sum(map(data.size, kinds))
        return 4 * rows * self.config.factors + 24 * entries

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: each iteration reads every entry of the training matrix."""
        entries = sum(data.user_matrix(kind).nnz for kind in self.kinds_of(data))
        return 8e-9 * self.config.iterations * self.config.factors * entries

    def vectors(self, target: Target) -> Floats:
        """Return the target's vectors scaled for `similarity`: float32 [N, factors], 2 wider for `euclidean`."""
        return self._places[target]

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`; NaN if training saw nothing of the query."""
        confidence = self._confidence(self.matrix(queries), self._scale)
        confidence.data[~self._learned[confidence.indices]] = 0
        confidence.eliminate_zeros()
        ridge = self._ridge(confidence, self._n_learned, float(self._usual))
        vectors = self._squares.solve(confidence, confidence.data - 1, ridge)
        vectors[np.diff(confidence.indptr) == 0] = np.nan
        return self.config.probes(vectors)

    def _confidence(self, matrix: Sparse, scale: Floats) -> Sparse:
        """Return the matrix with confidences 1 + alpha w as values; it shares its index arrays with the argument."""
        confidence = 1 + np.float32(self.config.alpha) * matrix.data * scale[matrix.indices]
        return make_csr(confidence, matrix.indices, matrix.indptr, matrix.shape)


def _sums(confidence: Sparse, others: int) -> Doubles:
    """Sum the confidences of each row over all `others` columns, 1 for each missing entry: float64 [rows]."""
    return others + kernels.row_sums(confidence).astype(np.float64) - np.diff(confidence.indptr)


def _mean_sum(confidence: Sparse, others: int) -> float:
    """Return the mean of `_sums` over the rows with any entry; 1 if there are none."""
    filled = np.diff(confidence.indptr) > 0
    return float(_sums(confidence, others)[filled].mean()) if filled.any() else 1.0
