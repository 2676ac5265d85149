"""What linear models have in common: a query is a row over the columns, its scores are that row times weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import (
    DataError,
    Dataset,
    DenseModel,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_linear.columns import ColumnOptions, Columns


class LinearModel(DenseModel):
    """A model of the user-by-column matrix; it folds in any query that holds something training knows.

    A subclass gives `learn` and `predict`, `state` and `restore`. Items that no training row holds get no opinion.
    """

    folds_in = True
    config: ColumnOptions
    _columns: Columns

    def __init__(self, config: Options | None = None) -> None:
        """What it reads and recommends depends on `fields`."""
        super().__init__(config)
        self.needs = frozenset(self.config.fields)
        self.targets = ("items", "tags") if "tags" in self.config.fields else ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn for all columns that training knows; raises DataError where there is none."""
        self._columns, rows = Columns.learn(data, self.config)
        if not self._columns.n_predicted:
            raise DataError(f"{self.name}: the training part has no interactions to learn from")
        self.learn(rows, self._columns.n_predicted)
        return self

    @abstractmethod
    def learn(self, rows: Sparse, n: int) -> None:
        """From rows, csr [R, C], what predicts the first n columns."""

    @abstractmethod
    def predict(self, values: Sparse) -> Floats:
        """float32 [Q, n], a new array, from the values of queries, csr [Q, C]."""

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Predictions for the ids of the target; NaN for queries that hold nothing training knows."""
        values = self._columns.values(queries)
        predicted = self.predict(values)
        predicted[np.diff(values.indptr) == 0] = np.nan
        return self._columns.split(predicted, target)


class SparseLinearModel(LinearModel):
    """A linear model of few weights, none negative; what no column of a query leads to gets no opinion."""

    _weights: Sparse
    """csr float32 [C, n]."""

    def predict(self, values: Sparse) -> Floats:
        """The values times the weights, NaN instead of 0."""
        predicted = (values @ self._weights).toarray()
        predicted[predicted <= 0] = np.nan
        return predicted

    def state(self) -> State:
        """The columns and the weights."""
        return self._columns.state() | pack_csr(self._weights, "weights")

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._columns = Columns.restore(state, self.config)
        self._weights = unpack_csr(state, "weights")
        return self


def strongest_others(matrix: Sparse, k: int, start: int = 0) -> Sparse:
    """The k largest entries of each row that do not lie on the diagonal, rows counted from `start`."""
    others = matrix.indices != kernels.csr_rows(matrix) + start
    indptr = np.concatenate(([0], np.cumsum(others)))[matrix.indptr]
    return kernels.strongest(csr_matrix((matrix.data[others], matrix.indices[others], indptr), shape=matrix.shape), k)
