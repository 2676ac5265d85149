"""The contract suite of filters: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.stages.checks import check_exclude, check_self
from hybridrec.stages.filter import Filter
from hybridrec.testing._helpers import through_a_file
from hybridrec.testing.contract import QueryContract
from hybridrec.types import Bools, Target


class FilterContract(QueryContract):
    """The contract suite of filters, with a named check for each requirement.

    filter: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    """

    role = "filter"
    filter: ClassVar[type[Filter]]

    def model(self, options: Mapping[str, Any]) -> Filter:
        """Return a new filter, fitted on the data of the checks."""
        made = self.made(options)
        return check_self(made, "fit", made.fit(self.data()))

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Fit the filter once, to see that it can be fitted, since all checks need a fitted filter."""
        self.model(options)

    def test_exclusions_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require an `Exclude` of the right shapes for every target, also for an empty batch."""
        model, queries = self.model(options), self.queries()
        for target in self.data().targets:
            for asked in (queries, queries.take(slice(0, 0))):
                check_exclude(model.exclude(asked, target), len(asked), queries.width(target))

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require the same ids to be excluded for a query alone and in a batch."""
        model, queries = self.model(options), self.queries()
        for target, together in self._excluded(model, queries):
            for row in range(len(queries)):
                alone = _matrix(model, queries.take(slice(row, row + 1)), target)[0]
                assert np.array_equal(alone, together[row]), f"{target}, query {row}: other ids alone than in a batch"

    def test_same_data_same_exclusion(self, options: Mapping[str, Any]) -> None:
        """Require two instances that are fitted on the same data to exclude the same ids."""
        first, again = (dict(self._excluded(self.model(options), self.queries())) for _ in range(2))
        for target, excluded in first.items():
            assert np.array_equal(excluded, again[target]), f"{target}: other ids from the same data"

    def test_state_survives_a_file(self, options: Mapping[str, Any]) -> None:
        """Require a state without Python objects, which a file can hold.

        A new instance that is restored from the file must exclude the same ids.
        """
        model = self.model(options)
        other = self.made(options)
        check_self(other, "restore", other.restore(through_a_file(model.state())))
        restored = dict(self._excluded(other, self.queries()))
        for target, excluded in self._excluded(model, self.queries()):
            assert np.array_equal(excluded, restored[target]), f"{target}: other ids after restore"

    def ask(self, options: Mapping[str, Any], data: Dataset, queries: QueryBatch) -> None:
        """Fit a new filter, and call `exclude` for every target."""
        model = self.made(options)
        check_self(model, "fit", model.fit(data))
        for target in data.targets:
            model.exclude(queries, target)

    def _excluded(self, model: Filter, queries: QueryBatch) -> Iterator[tuple[Target, Bools]]:
        """Yield (target, bool [Q, N]) for each target; the array is True where an id is excluded for a query."""
        for target in self.data().targets:
            yield target, _matrix(model, queries, target)


def _matrix(model: Filter, queries: QueryBatch, target: Target) -> Bools:
    scores = np.zeros((len(queries), queries.width(target)), np.float32)
    model.exclude(queries, target).mask(scores)
    return np.isneginf(scores)
