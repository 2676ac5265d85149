"""The contract suite of metrics: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from hybridrec.evaluation.metrics import EvalBatch, Metric, SetMetric
from hybridrec.stages import kernels
from hybridrec.testing._helpers import assert_unchanged, contents
from hybridrec.testing.contract import DataContract
from hybridrec.testing.datasets import csr_of
from hybridrec.types import PADDING, Doubles

ROWS, WIDTH = 30, 10


class MetricContract(DataContract):
    """The contract suite of metrics, with a named check for each requirement.

    metric: the class under test
    rewards_hits: True if a slate with all its hits in front must be at least as good as the same slate reversed
    """

    role = "metric"
    metric: ClassVar[type[Metric]]
    rewards_hits: ClassVar[bool] = False

    @classmethod
    def idle(cls) -> set[str]:
        """Return the names of the checks that do not apply to the class under test.

        They are for other metrics, or for properties that the class does not declare.
        """
        idle = {"batch_and_one_by_one_agree"} if issubclass(cls.metric, SetMetric) else {"a_set_is_one_number"}
        idle |= set() if cls.metric.cut_off else {"only_the_first_k_places_count"}
        return idle | (set() if cls.rewards_hits else {"hits_in_front_are_not_worse"})

    def eval_batch(self, rows: slice | None = None) -> EvalBatch:
        """Build an input of metrics on the data of the checks, with full, short and empty slates.

        For one query no id is relevant, and for one query all ids are; gains are 1 to 5. With `rows`, only the queries
        in these rows are returned.
        """
        rng, data = np.random.default_rng(4), self.data()
        n = len(data.items)
        ids = rng.permuted(np.tile(np.arange(n, dtype=np.int32), (ROWS, 1)), axis=1)[:, :WIDTH]
        lengths = np.concatenate(([0, 1], rng.integers(3, WIDTH + 9, ROWS - 2)))
        ids[np.arange(ids.shape[1]) >= lengths[:, None]] = PADDING
        truth = csr_of(
            (rng.random((ROWS, n)) < 0.2) & (np.arange(ROWS) != 3)[:, None] | (np.arange(ROWS) == 4)[:, None]
        )
        chosen = slice(None) if rows is None else rows
        asked = self.queries()
        queries = asked.take(np.arange(ROWS)[chosen] % len(asked))
        hits = kernels.hits(ids[chosen], truth[chosen])
        gains = truth.copy()
        gains.data = rng.integers(1, 6, gains.nnz).astype(np.float32)
        return EvalBatch("items", ids[chosen], hits, truth[chosen], data, queries=queries, gains=gains[chosen])

    def made(self, options: Mapping[str, Any]) -> Metric:
        """Build the metric under test with these options."""
        return self.metric(self.options(options))

    def test_options_can_be_given(self, options: Mapping[str, Any]) -> None:
        """Require options with names other than `use`, `at` and `as`, which the config keeps for itself."""
        fields = self.metric.Config.model_fields.items()
        taken = {"use", "at", "as"} & {field.alias or key for key, field in fields}
        assert not taken, f"the config means something else by {', '.join(sorted(taken))}: rename the option"

    def test_values_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require values of float64, one per query, never infinite, for any cut-off k and for an empty batch.

        The cut-off may lie beyond the slate.
        """
        for eval_batch in (self.eval_batch(), self.eval_batch(slice(0, 0))):
            for k in (1, 5, WIDTH, WIDTH + 7):
                values = _values(self.made(options), eval_batch, k)
                assert values.dtype == np.float64, f"values are {values.dtype}, not float64"
                assert values.shape == (len(eval_batch.ids),), f"values have the shape {values.shape}"
                assert not np.isinf(values).any(), "a value is infinite; return NaN if it is not defined"

    def test_has_an_opinion(self, options: Mapping[str, Any]) -> None:
        """Require a value other than NaN for some of the queries."""
        values = self.made(options).values(self.eval_batch(), 5)
        assert not np.isnan(values).all(), "it is NaN for every query"

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require the value of a query not to depend on the rest of the batch (a SetMetric is exempt)."""
        metric = self.made(options)
        if isinstance(metric, SetMetric):
            return
        alone = [_values(metric, self.eval_batch(slice(row, row + 1)), 5)[0] for row in range(ROWS)]
        together = _values(metric, self.eval_batch(), 5)
        assert np.allclose(alone, together, equal_nan=True), "other values in a batch than one by one"

    def test_only_the_first_k_places_count(self, options: Mapping[str, Any]) -> None:
        """Require values that do not depend on the places after the cut-off."""
        metric, eval_batch = self.made(options), self.eval_batch()
        if not metric.cut_off:
            return
        shorter = replace(eval_batch, ids=eval_batch.ids[:, :4], hits=eval_batch.hits[:, :4])
        assert np.allclose(_values(metric, eval_batch, 4), _values(metric, shorter, 4), equal_nan=True), (
            "places after k count"
        )

    def test_a_set_is_one_number(self, options: Mapping[str, Any]) -> None:
        """Require a SetMetric to return a float for the slates of all folds, whatever the order of the folds."""
        metric = self.made(options)
        if isinstance(metric, SetMetric):
            folds = [self.eval_batch(slice(0, 10)), self.eval_batch(slice(10, ROWS))]
            value = metric.value(folds, 5)
            assert isinstance(value, float), f"`value` returned {type(value).__name__}, not a float"
            assert np.isclose(value, metric.value(folds[::-1], 5), equal_nan=True), "the order of the folds counts"

    def test_hits_in_front_are_not_worse(self, options: Mapping[str, Any]) -> None:
        """Require, if hits are rewarded, a slate with its hits in front to be at least as good as its reverse."""
        if not self.rewards_hits:
            return
        eval_batch, metric = self.eval_batch(slice(5, None)), self.made(options)
        front = np.argsort(~eval_batch.hits, axis=1, kind="stable")
        ordered = [np.take_along_axis(eval_batch.ids, order, axis=1) for order in (front, front[:, ::-1])]
        best, worst = (
            _values(metric, replace(eval_batch, ids=ids, hits=kernels.hits(ids, eval_batch.truth)), 5)
            for ids in ordered
        )
        better = best >= worst if metric.higher_is_better else best <= worst
        assert (better | np.isnan(best)).all(), "a slate with its hits at the end is better"

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require the input to be unchanged, since other metrics read the same slates, truth, queries and data."""
        eval_batch = self.eval_batch()
        before = contents(eval_batch=eval_batch)
        metric = self.made(options)
        metric.values(eval_batch, 5)
        if isinstance(metric, SetMetric):
            metric.value([eval_batch], 5)
        assert_unchanged(before, eval_batch=eval_batch)


def _values(metric: Metric, eval_batch: EvalBatch, k: int) -> Doubles:
    """Compute the values of a metric, and fail with a clear message if they are not an array."""
    values = metric.values(eval_batch, k)
    assert isinstance(values, np.ndarray), f"values are {type(values).__name__}, not an array"
    return values
