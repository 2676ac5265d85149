"""`ease`: a linear autoencoder in closed form, over items alone or items, tags and title words together."""

from __future__ import annotations

from typing import Self

import numpy as np

from hybridrec import DataError, Dataset, DenseModel, Floats, Options, QueryBatch, State, Target
from hybridrec_linear import solve
from hybridrec_linear.columns import Columns, EaseOptions


class Ease(DenseModel):
    """EASE (Steck 2019): each item's value is predicted from all others by ridge regression without itself.

    Rows are users, columns the items (and tags, title words) of `fields`; the formula stands in
    `hybridrec_linear.solve`. Any history is served. Items that no training row holds get no opinion.
    """

    name = "ease"
    folds_in = True
    Config = EaseOptions
    config: EaseOptions

    def __init__(self, config: Options | None = None) -> None:
        """What it reads and recommends depends on `fields`."""
        super().__init__(config)
        self.needs = frozenset(self.config.fields)
        self.targets = ("items", "tags") if "tags" in self.config.fields else ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Solve for all columns that training knows; raises DataError where there is none."""
        self._columns, rows = Columns.learn(data, self.config)
        if not self._columns.n_predicted:
            raise DataError("ease: the training part has no interactions to learn from")
        self._solution = solve.solve(rows, self.config.l2, self._columns.n_predicted)
        return self

    def memory(self, data: Dataset) -> int:
        """The square system in float64 and the result in float32."""
        columns, rows = Columns.learn(data, self.config)
        return solve.peak_bytes(rows, columns.n_predicted)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Predictions for the ids of the target; NaN for queries that hold nothing training knows."""
        values = self._columns.values(queries)
        predicted = self._solution.predict(values)
        predicted[np.diff(values.indptr) == 0] = np.nan
        return self._columns.split(predicted, target)

    def state(self) -> State:
        """The columns and the solution."""
        return self._columns.state() | self._solution.state()

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._columns = Columns.restore(state, self.config)
        self._solution = solve.restore(state)
        return self
