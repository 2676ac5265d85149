"""`ease`: a linear autoencoder in closed form, over items alone or items, tags and title words together."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from hybridrec import Dataset, Floats, Sparse, State
from hybridrec_linear import solve
from hybridrec_linear.columns import Columns, ScaledColumnOptions
from hybridrec_linear.model import LinearModel


class EaseOptions(ScaledColumnOptions):
    """Options of `ease`."""

    l2: float = Field(40.0, gt=0)
    """The regularization (lambda of the paper); with `column_power: 0` good values are some hundreds."""


class Ease(LinearModel):
    """EASE (Steck 2019): each item's value is predicted from all others by ridge regression without itself.

    Rows are users, columns the items (and tags, title words) of `fields`; the formula stands in
    `hybridrec_linear.solve`. Any history is served. Items that no training row holds get no opinion.
    """

    name = "ease"
    Config = EaseOptions
    config: EaseOptions

    def learn(self, rows: Sparse, n: int) -> None:
        """Solve for the first n columns."""
        self._solution = solve.solve(rows, self.config.l2, n)

    def memory(self, data: Dataset) -> int:
        """The square system in float64 and the result in float32."""
        columns, rows = Columns.learn(data, self.config)
        return solve.peak_bytes(rows, columns.n_predicted)

    def predict(self, values: Sparse) -> Floats:
        """By the primal or the dual solution."""
        return self._solution.predict(values)

    def state(self) -> State:
        """The columns and the solution."""
        return self._columns.state() | self._solution.state()

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._columns = Columns.restore(state, self.config)
        self._solution = solve.restore(state)
        return self
