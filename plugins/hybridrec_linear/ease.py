"""`ease`: a linear autoencoder in closed form, over items alone or items, tags and title words together."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from hybridrec import Dataset, Floats, Sparse, State
from hybridrec_linear import solve
from hybridrec_linear.joint_columns import Columns, ScaledColumnOptions
from hybridrec_linear.linear_model import LinearModel


class EaseOptions(ScaledColumnOptions):
    """Options of `ease`: the regularization, and the columns of the training matrix."""

    l2: float = Field(200.0, ge=1e-9, le=1e12)
    """Regularization (lambda of the paper); good values are some hundreds, and some tens with a `column_power` of 0.25.
    """
    column_power: float = Field(0.0, ge=0, le=1)
    """Power of a column's number of users by which its values are divided, so that popular items dominate less; 0 is as
    published."""


class Ease(LinearModel):
    """EASE (Steck 2019): ridge regression that predicts each item's value from the values of all other items.

    Rows are users, columns the items (and tags, title words) of `fields`; the formula is in
    `hybridrec_linear.solve`. Any history is served. Items that occur in no training row get no opinion.
    """

    name = "ease"
    version = "2"
    Config = EaseOptions
    config: EaseOptions

    def learn(self, rows: Sparse, n: int) -> None:
        """Solve for the weights that predict the first n columns, from rows csr [R, C]."""
        self._solution = solve.solve(rows, self.config.l2, n)

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the square system in float64 and of the result in float32."""
        columns, rows = Columns.learn(data, self.config)
        return solve.peak_bytes(rows, columns.n_predicted)

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: the inverse of the smaller system, and what fills it."""
        _, rows = Columns.learn(data, self.config)
        small, large = sorted(rows.shape)
        return 5e-11 * (small**3 + small**2 * large) + 1e-7 * rows.nnz

    def predict(self, values: Sparse) -> Floats:
        """Return the scores by the primal or the dual solution: float32 [Q, n]."""
        return self._solution.predict(values)

    def state(self) -> State:
        """Return the columns and the primal or dual solution."""
        return self._columns.state() | self._solution.state()

    def restore(self, state: State) -> Self:
        """Take the columns and the primal or dual solution from `state`; return self."""
        self._columns = Columns.restore(state, self.config)
        self._solution = solve.restore(state)
        return self
