"""The split `cold-items` hides items with all traces but their content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.ragged import Ragged
from hybridrec.data.splits import ColdItems
from hybridrec.errors import DataError
from tests.data.builders import bare, folds_of, random_dataset


def test_cold_items_ask_only_users_with_enough_history(data):
    for fold in folds_of(ColdItems(ColdItems.Config(min_history=3)), data):
        assert (fold.queries.history.matrix(binary=True).getnnz(axis=1) >= 3).all()


def test_cold_items_leave_no_trace_but_their_content(data):
    splitter = ColdItems(ColdItems.Config(folds=4, min_history=2))
    folds = folds_of(splitter, data)
    assert (
        sum(fold.candidate_items.astype(int) for fold in folds).tolist()
        == np.isin(np.arange(40), data.interactions.ids).astype(int).tolist()
    )
    for fold in folds:
        cold = np.flatnonzero(fold.candidate_items)
        assert not np.isin(fold.train.interactions.ids, cold).any()
        assert not np.isin(fold.train.assignments["tags"][:, 1], cold).any()
        assert (fold.train.item_matrix("tags")[cold] != data.item_has["tags"][cold]).nnz == 0
        assert np.isin(fold.truth["items"].indices, cold).all()
        inner = splitter.validation_split(fold.train, np.random.default_rng(0))
        assert inner.candidate_items.any()
        assert not (inner.candidate_items & fold.candidate_items).any()


def test_cold_items_are_chosen_whatever_their_popularity(data):
    splitter = ColdItems(ColdItems.Config(min_history=1))
    history = data.interactions
    for cut in (
        lambda data: folds_of(splitter, data)[0],
        lambda data: splitter.validation_split(data, np.random.default_rng(0)),
    ):
        fold = cut(data)
        again = np.repeat(np.arange(len(history.ids)), np.where(fold.candidate_items[history.ids], 50, 1))
        popular = Ragged.from_columns(history.rows[again], history.ids[again], (30, 40), times=history.times[again])
        plain = replace(history, weights=None, groups=None)
        of_plain, of_popular = (cut(replace(data, interactions=interactions)) for interactions in (plain, popular))
        assert of_plain.candidate_items.tolist() == of_popular.candidate_items.tolist() == fold.candidate_items.tolist()
        assert of_plain.train.fingerprint == of_popular.train.fingerprint


def test_cold_items_among_all(data):
    splitter = ColdItems(ColdItems.Config(candidate_items="all", min_history=2))
    (fold,) = folds_of(splitter, data)
    assert fold.candidate_items is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_history": 50}, "no user has 50 visible items and a hidden one; lower"),
        ({"folds": 41}, r"41 folds need as many items .* only \d+; lower `folds`"),
    ],
)
def test_cold_items_that_leave_nothing_to_ask_say_what_to_lower(options, message):
    with pytest.raises(DataError, match=message):
        folds_of(ColdItems(ColdItems.Config(**options)), bare(random_dataset()))
