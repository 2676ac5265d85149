"""Properties of every split of known users: training lacks the truth, and has what queries show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.splits import SPLITTERS, ColdItems, LeaveOneOut, PredefinedSplit, Random, Temporal
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.errors import DataError
from hybridrec.types import PADDING
from tests.data.builders import folds_of, histories, random_dataset

KNOWN = [
    Random(),
    Random(Random.Config(folds=3)),
    LeaveOneOut(),
    Temporal(),
    PredefinedSplit(),
    ColdItems(ColdItems.Config(min_history=1)),
]


def test_names():
    assert [splitter.name for splitter in SPLITTERS] == [
        "masked",
        "random",
        "leave-one-out",
        "each-position",
        "temporal",
        "folds",
        "cold-items",
    ]


@pytest.mark.parametrize("splitter", KNOWN, ids=lambda splitter: splitter.name)
def test_truth_is_what_training_lacks_and_queries_show_what_it_has(splitter, data):
    all_tags = (data.user_matrix("tags") > 0).astype(np.float32)
    for fold in folds_of(splitter, data):
        for cut in (fold, splitter.validation_split(fold.train, np.random.default_rng(1))):
            source = data if cut is fold else fold.train
            train, truth = cut.train.interactions.matrix(binary=True)[cut.units], cut.truth["items"]
            assert truth.multiply(train).nnz == 0
            assert cut.truth["tags"].multiply(cut.queries.matrix("tags")).nnz == 0
            assert (truth + train != source.interactions.matrix(binary=True)[cut.units]).nnz == 0
            assert cut.weights.tolist() == [1.0] * len(cut.units)
            assert len(np.unique(cut.units)) == len(cut.units)
            assert (cut.truth["items"].getnnz(axis=1) + cut.truth["tags"].getnnz(axis=1) > 0).all()
            is_user = cut.queries.users != PADDING
            assert (cut.queries.users == np.where(is_user, cut.units, PADDING)).all()
            assert (is_user == cut.queries.has("items")).all()
            assert cut.queries.history.ids.tolist() == cut.train.interactions.take(cut.units).ids.tolist()
            assert (cut.queries.matrix("tags")[is_user] != cut.train.user_matrix("tags")[cut.units[is_user]]).nnz == 0
        tags = fold.truth["tags"] + (fold.queries.matrix("tags") > 0).astype(np.float32)
        if splitter.name != "cold-items":  # where tags of hidden items are nobody's truth
            assert (tags != all_tags[fold.units]).nnz == 0


@pytest.mark.parametrize("splitter", KNOWN, ids=lambda splitter: splitter.name)
def test_users_without_history_are_unknown_to_training_but_show_what_is_declared(splitter, data):
    for fold in folds_of(splitter, data):
        unknown = np.flatnonzero(fold.queries.users == PADDING)
        for query, user in zip(unknown, fold.units[unknown], strict=True):
            assert fold.queries.text[query] == data.users.text[user]
            assert fold.train.users.text[user] == ""
            assert fold.train.user_matrix("tags")[user].nnz == 0
            assert (fold.queries.user_features.matrix[query] != data.users.features.matrix[user]).nnz == 0


def test_some_users_are_left_without_history():
    assert any((fold.queries.users == PADDING).any() for fold in folds_of(PredefinedSplit(), random_dataset(1)))


def test_too_little_data_is_an_error():
    tiny = histories(random_dataset(), [1], times=[5])
    nothing = histories(random_dataset(), times=[])
    grouped = replace(tiny, interactions=replace(tiny.interactions, groups=np.zeros(1, np.int32)))
    for data in (tiny, nothing, grouped):
        for splitter in KNOWN:
            with pytest.raises(DataError, match="split"):
                folds_of(splitter, data)
            with pytest.raises(DataError, match="split"):
                splitter.validation_split(data, np.random.default_rng(0))


def test_the_arrays_of_a_fold_are_read_only(data):
    (fold,) = folds_of(Random(), data)
    assert type(fold) is Fold
    for array in (fold.units, fold.weights, fold.truth["items"].data, fold.truth["tags"].indices):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


@pytest.mark.parametrize("level", ["split", "validation_split"])
def test_a_splitter_cuts_for_the_experiment_and_for_learning_blends(level):
    other = {"split": "validation_split", "validation_split": "split"}[level]
    with pytest.raises(TypeError, match=rf"abstract method '?{level}'?$"):
        type("Half", (Splitter,), {"name": "half", other: lambda self, data, rng: None})()
