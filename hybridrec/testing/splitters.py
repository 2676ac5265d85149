"""The contract suite of splitters: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from hybridrec.data.checks import check_fold, check_hidden
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.testing._helpers import assert_unchanged, contents, toy
from hybridrec.testing.contract import DataContract


class SplitterContract(DataContract):
    """The contract suite of splitters, with a named check for each requirement.

    splitter: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    """

    role = "splitter"
    splitter: ClassVar[type[Splitter]]

    def data(self) -> Dataset:
        """Return the data to split: the result of `check_data`, or the toy dataset with fold numbers as `groups`."""
        data = super().data()
        if data is not toy():
            return data
        groups = np.arange(len(data.interactions.ids), dtype=np.int32) % 3
        return replace(data, interactions=replace(data.interactions, groups=groups))

    def folds(self, options: Mapping[str, Any], seed: int = 0) -> list[Fold]:
        """Split the data of the checks; return all folds, and after them the validation fold inside the first fold."""
        splitter = self.splitter(self.options(options))
        folds = list(splitter.split(self.data(), np.random.default_rng(seed)))
        assert folds, "the splitter returned no folds"
        return [*folds, splitter.validation_split(folds[0].train, np.random.default_rng(seed))]

    def test_folds_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require folds that have queries and keep the contract of `Fold`, with the vocabularies of the data."""
        data = self.data()
        for fold in self.folds(options):
            check_fold(fold, data)
            assert len(fold.queries), f"fold {fold.name} asks nothing"
            assert list(fold.train.items.vocabulary.ids) == list(data.items.vocabulary.ids), (
                f"fold {fold.name}: other items in training"
            )
            assert list(fold.train.users.vocabulary.ids) == list(data.users.vocabulary.ids), (
                f"fold {fold.name}: other users in training"
            )

    def test_every_query_asks_for_something(self, options: Mapping[str, Any]) -> None:
        """Require relevant ids for every query, since a query without relevant ids measures nothing."""
        for fold in self.folds(options):
            wanted = sum(np.diff(truth.indptr) for truth in fold.truth.values())
            assert np.asarray(wanted > 0).all(), f"fold {fold.name}: query {np.argmin(wanted)} asks for nothing"

    def test_truth_is_hidden(self, options: Mapping[str, Any]) -> None:
        """Require relevant ids to be neither in the query nor among the user's interactions in the training part."""
        for fold in self.folds(options):
            check_hidden(check_fold(fold, self.data()))

    def test_training_is_a_part_of_the_data(self, options: Mapping[str, Any]) -> None:
        """Require the interactions of the training part to be some, but not all, of the interactions of the data."""
        data = self.data().interactions
        for fold in self.folds(options):
            train = fold.train.interactions
            assert len(train.ids) < len(data.ids), f"fold {fold.name} hides nothing"
            more = train.matrix() - train.matrix().minimum(data.matrix())
            assert not np.asarray(abs(more).sum()).any(), (
                f"fold {fold.name}: training has interactions that the data does not have"
            )

    def test_same_seed_same_folds(self, options: Mapping[str, Any]) -> None:
        """Require equal folds from equal seeds: all randomness comes from the given generator."""
        first, again = ([_print(fold) for fold in self.folds(options)] for _ in range(2))
        assert first == again, "other folds from the same seed"

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require the dataset, and a training part that is split once more, to be unchanged after use."""
        data, splitter = self.data(), self.splitter(self.options(options))
        before = contents(data=data)
        folds = list(splitter.split(data, np.random.default_rng(0)))
        assert_unchanged(before, data=data)
        before = contents(train=folds[0].train)
        splitter.validation_split(folds[0].train, np.random.default_rng(0))
        assert_unchanged(before, train=folds[0].train)


def _print(fold: Fold) -> tuple[str, ...]:
    truth = (fold.truth.get(target) for target in sorted(fold.truth))
    parts = (fold.queries, *truth, fold.units, fold.weights, fold.candidate_items)
    return (fold.name, fold.train.fingerprint, *(fingerprint(array) for array in parts))
