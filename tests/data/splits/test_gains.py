"""Gains of the truth: the weights of the interactions that a splitter hides."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.checks import check_fold
from hybridrec.data.splits import SPLITTERS, EachPosition
from tests.data.builders import bare, random_dataset

DATA = random_dataset()


def folds(splitter, data):
    options = {"folds": {}, "cold-items": {"min_history": 1}}.get(splitter.name, {})
    made = splitter(splitter.Config(**options))
    first, *others = made.split(data, np.random.default_rng(3))
    return [first, *others, made.validation_split(first.train, np.random.default_rng(3))]


def weight(user, item):
    """All that the user ever gave the item."""
    history = DATA.interactions.take(np.array([user]))
    return history.weights[history.ids == item].sum()


@pytest.mark.parametrize("splitter", [s for s in SPLITTERS if s is not EachPosition], ids=lambda s: s.name)
def test_the_gain_of_a_hidden_pair_is_the_sum_of_its_weights(splitter):
    for fold in folds(splitter, DATA):
        check_fold(fold, DATA)
        gains = fold.gains["items"].tocoo()
        assert gains.nnz > 0
        wanted = [weight(fold.units[row], item) for row, item in zip(gains.row, gains.col, strict=True)]
        np.testing.assert_allclose(gains.data, wanted, rtol=1e-6)


def test_the_gain_of_a_position_is_the_weight_of_that_interaction():
    (fold,) = EachPosition(EachPosition.Config(test=3)).split(DATA, np.random.default_rng(0))
    check_fold(fold, DATA)
    for user in np.unique(fold.units):
        asked = np.flatnonzero(fold.units == user)
        history = DATA.interactions.take(np.array([user]))
        pairs = set(zip(history.ids.tolist(), history.weights.tolist(), strict=True))
        assert set(zip(fold.gains["items"][asked].indices, fold.gains["items"][asked].data, strict=True)) <= pairs


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: s.name)
def test_without_weights_there_are_no_gains(splitter):
    data = bare(DATA)
    kept = replace(data.interactions, times=DATA.interactions.times, groups=DATA.interactions.groups)
    (first, *_) = folds(splitter, replace(data, interactions=kept))
    assert first.gains == {}
