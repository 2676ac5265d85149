"""`bpr`: Bayesian personalized ranking; a query is the mean vector of its items and entities."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import ITEMS, Dataset, Floats, QueryBatch, SimilarityOptions, Sparse, State, Target
from hybridrec_implicit.column_model import ColumnModel, ColumnOptions, one_thread
from hybridrec_implicit.other_similarity import Factorization


class BPROptions(ColumnOptions, SimilarityOptions):
    """Options of `bpr`; `weights` and `tag_weight` apply to the mean of a query, while training counts all equally.

    The bias of an item, its popularity, belongs to the inner product alone: other similarities leave it out.
    """

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    learning_rate: float = Field(0.1, gt=0)
    """Step of the stochastic gradient descent."""
    regularization: float = Field(0.01, ge=0, le=1e12)
    """Penalty on the squared length of the vectors."""
    iterations: int = Field(100, ge=1, le=1_000_000)
    """Passes over the training data."""


class BPR(ColumnModel, Factorization):
    """Matrix factorization by Bayesian personalized ranking.

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback" (2009). BPR has no closed form for a
    user, so a query is the weighted mean of the vectors of its items and tags. Of the cheap ways to fold users in, this
    mean ranks best: well before least squares, and level with a regression onto the trained users.
    """

    name = "bpr"
    Config = BPROptions
    config: BPROptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train on sampled pairs of a column that a user has and one that the user lacks; return self."""
        self.kinds = self.kinds_of(data)
        matrix = self.matrix(data)
        learned = np.bincount(matrix.indices, minlength=matrix.shape[1]) > 0
        vectors = np.zeros((len(learned), self.config.factors + 1), np.float32)
        if learned.any():
            vectors = self._train(matrix, int(rng.integers(2**31)))
        # Columns that nobody has take part as sampled negatives: they are pushed away, not learned.
        vectors[~learned] = np.nan
        return self.restore(self.split(vectors, data) | {"kinds": np.array(self.kinds)})

    def _train(self, matrix: Sparse, seed: int) -> Floats:
        """Train by the library `implicit`; return column vectors, float32 [columns, factors + 1], the bias last."""
        with one_thread(self.name):
            from implicit.cpu.bpr import BayesianPersonalizedRanking

            model = BayesianPersonalizedRanking(
                factors=self.config.factors,
                learning_rate=self.config.learning_rate,
                regularization=self.config.regularization,
                iterations=self.config.iterations,
                random_state=seed,
                num_threads=1,
            )
            model.fit(matrix, show_progress=False)
        return model.item_factors

    def state(self) -> State:
        """Return the vectors of each target, float32 [N, factors + 1], the bias last; NaN rows for ids nobody has."""
        return self._vectors | {"kinds": np.array(self.kinds)}

    def restore(self, state: State) -> Self:
        """Take the vectors of each target from `state`, and scale them for `similarity`; return self."""
        self.kinds = tuple(map(str, state["kinds"]))
        self._vectors: State = {target: np.asarray(state[target], np.float32) for target in self.kinds}
        columns = list(self._vectors.values())
        self._columns = columns[0] if len(columns) == 1 else np.concatenate(columns)
        self._learned = ~np.isnan(self._columns[:, 0])
        self._places: State = self._vectors
        if not self.config.is_plain:
            self._places = {target: self.config.places(vectors[:, :-1]) for target, vectors in self._vectors.items()}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of both factor matrices and of the training matrix."""
        kinds = self.kinds_of(data)
        entries = len(data.interactions.ids) + sum(data.user_matrix(kind).nnz for kind in kinds if kind != ITEMS)
        rows = len(data.users) + sum(map(data.size, kinds))
        return 4 * rows * (self.config.factors + 1) + 12 * entries

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: each iteration takes one step for every entry."""
        entries = sum(data.user_matrix(kind).nnz for kind in self.kinds_of(data))
        return 4e-9 * self.config.iterations * self.config.factors * entries

    def vectors(self, target: Target) -> Floats:
        """Return the target's vectors, float32 [N, factors + 1], the bias last.

        With a `similarity` other than `dot` they have no bias, and are scaled for the similarity.
        """
        return self._places[target]

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`; NaN if training saw nothing of the query."""
        matrix = self.matrix(queries)
        matrix.data[~self._learned[matrix.indices]] = 0
        matrix.eliminate_zeros()
        total = matrix @ self._learned.astype(np.float32)
        total = np.where(total > 0, total, np.float32(np.nan))
        result = (matrix @ self._columns) / total[:, None]
        if not self.config.is_plain:
            return self.config.probes(result[:, :-1])
        result[:, -1] = np.where(np.isnan(total), np.nan, 1)
        return result
