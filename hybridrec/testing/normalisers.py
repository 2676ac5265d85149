"""The contract suite of normalisers: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from hybridrec.stages.normaliser import Normaliser
from hybridrec.testing._helpers import assert_unchanged, contents, read_only
from hybridrec.testing.contract import PluginContract
from hybridrec.types import Floats


class NormaliserContract(PluginContract):
    """The contract suite of normalisers, with a named check for each requirement.

    normaliser: the class under test
    """

    role = "normaliser"
    normaliser: ClassVar[type[Normaliser]]

    def column(self) -> Floats:
        """Return a column of scores, float32 [12, 9], read-only as in a pool.

        Rows have different scales, and NaN in different places. One row is constant, one row has a single score, and
        one row has no score.
        """
        rng = np.random.default_rng(5)
        values = (rng.normal(size=(12, 9)) * 10.0 ** rng.integers(-2, 3, (12, 1))).astype(np.float32)
        values[rng.random(values.shape) < 0.3] = np.nan
        values[0], values[1, 1:], values[2] = 3.0, np.nan, np.nan
        return read_only(values)

    def scale(self, options: Mapping[str, Any], values: Floats) -> Floats:
        """Scale values by the normaliser under test, with these options: float32 in the same shape."""
        return self.normaliser(self.options(options)).scale(values)

    def test_values_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require float32 in the same shape, NaN exactly for missing scores, never infinite, even without rows."""
        for values in (self.column(), self.column()[:0], self.column()[:, :0]):
            scaled = self.scale(options, values)
            assert scaled.dtype == np.float32, f"values are {scaled.dtype}, not float32"
            assert scaled.shape == values.shape, f"values have the shape {scaled.shape}, not {values.shape}"
            assert (np.isnan(scaled) == np.isnan(values)).all(), "NaN in place of a score, or a number in place of NaN"
            assert not np.isinf(scaled).any(), "a value is infinite"

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require the result for a row not to depend on the other rows."""
        values = self.column()
        alone = np.concatenate([self.scale(options, values[row : row + 1]) for row in range(len(values))])
        assert np.allclose(alone, self.scale(options, values), equal_nan=True), "other values in a batch"

    def test_keeps_the_order(self, options: Mapping[str, Any]) -> None:
        """Require the higher of two scores in a row to stay at least as high as the other."""
        values = self.column()
        order = np.argsort(values, axis=1)
        rises = np.diff(np.take_along_axis(values, order, axis=1), axis=1) > 0
        steps = np.diff(np.take_along_axis(self.scale(options, values), order, axis=1), axis=1)
        assert not (rises & (steps < -1e-5)).any(), "a higher score became the lower one"

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require the input to be unchanged, since other re-rankers read the same column."""
        values = self.column()
        before = contents(column=values)
        self.scale(options, values)
        assert_unchanged(before, column=values)
