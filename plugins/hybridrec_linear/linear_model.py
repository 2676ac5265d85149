"""Base of linear models, in which the scores of a query are its values in the columns times learned weights."""

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
from hybridrec_linear.joint_columns import ColumnOptions, Columns


class LinearModel(DenseModel):
    """Linear model of the user-by-column matrix, which serves any query with an id or word that training has seen.

    A subclass implements `learn`, `predict`, `state` and `restore`. Items that occur in no training row get no opinion.
    """

    folds_in = True
    targets: tuple[Target, ...] = ("items",)
    config: ColumnOptions
    _columns: Columns

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs` and `targets` as the option `fields` says."""
        super().__init__(config)
        self.needs = frozenset(self.config.fields)
        self.targets = self.config.kinds

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Choose the columns, and learn to predict them; return self. Raises DataError if there are none."""
        self._columns, rows = Columns.learn(data, self.config)
        if not self._columns.n_predicted:
            raise DataError(f"{self.name}: the training part has no interactions to learn from")
        self.learn(rows, self._columns.n_predicted)
        return self

    @abstractmethod
    def learn(self, rows: Sparse, n: int) -> None:
        """Learn to predict the first n columns, from rows csr [R, C]."""

    @abstractmethod
    def predict(self, values: Sparse) -> Floats:
        """Return predictions for the first n columns, float32 [Q, n], a new array, from queries' values, csr [Q, C]."""

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return predictions for the ids of the target, float32 [Q, N].

        NaN for queries without anything that training has seen, and for ids without a column.
        """
        values = self._columns.values(queries)
        predicted = self.predict(values)
        predicted[np.diff(values.indptr) == 0] = np.nan
        return self._columns.split(predicted, target)


class SparseLinearModel(LinearModel):
    """Linear model of few, non-negative weights; ids for which no column of the query has a weight get no opinion."""

    _weights: Sparse
    """Weights: csr float32 [C, n]."""

    def predict(self, values: Sparse) -> Floats:
        """Return the values times the weights, float32 [Q, n], with NaN instead of 0."""
        predicted = kernels.dense_product(values, self._weights)
        predicted[predicted <= 0] = np.nan
        return predicted

    def state(self) -> State:
        """Return the columns and the weights."""
        return self._columns.state() | pack_csr(self._weights, "weights")

    def restore(self, state: State) -> Self:
        """Take the columns and the weights from `state`; return self."""
        self._columns = Columns.restore(state, self.config)
        self._weights = unpack_csr(state, "weights")
        return self


def strongest_others(matrix: Sparse, k: int, start: int = 0) -> Sparse:
    """Return the k largest off-diagonal entries of each row: csr.

    `matrix`, csr, holds the rows of a square matrix from `start` on.
    """
    others = matrix.indices != kernels.csr_rows(matrix) + start
    indptr = np.concatenate(([0], np.cumsum(others)))[matrix.indptr]
    return kernels.strongest(csr_matrix((matrix.data[others], matrix.indices[others], indptr), shape=matrix.shape), k)
