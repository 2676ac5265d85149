"""The lists that `each-position` shows and asks for; every list counts alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.ragged import Ragged
from hybridrec.data.splits import EachPosition
from hybridrec.errors import DataError
from hybridrec.evaluation.accuracy import HitRate
from hybridrec.evaluation.metrics import EvalBatch
from hybridrec.evaluation.statistics import Totals, membership
from hybridrec.stages import kernels
from hybridrec.types import PADDING
from tests.data.builders import bare, random_dataset


def lists(*rows):
    data = random_dataset()
    padded = [*rows, *([()] * (len(data.users) - len(rows)))]
    return replace(bare(data), interactions=Ragged.from_rows(padded, len(data.items)))


def fold_of(data, seed=0, **options):
    (fold,) = EachPosition(EachPosition.Config(**options)).split(data, np.random.default_rng(seed))
    return fold


def shown(fold):
    history = fold.queries.history
    return [history.take(np.array([row])).ids.tolist() for row in range(len(history))]


def test_every_position_of_a_held_out_list_is_asked_for_by_its_window():
    data = lists([1, 2, 3, 4, 5], [6, 7], [7, 8])
    fold = fold_of(data, test=1, min_items=3, window=2)
    assert fold.units.tolist() == [0] * 5
    assert fold.truth["items"].indices.tolist() == [1, 2, 3, 4, 5]
    assert shown(fold) == [[3, 2], [4, 3, 1], [5, 1, 4, 2], [2, 5, 3], [3, 4]]
    assert fold.train.interactions.ids.tolist() == [6, 7, 7, 8]
    assert (fold.queries.users == PADDING).all()


def test_a_window_may_be_wider_than_any_list():
    fold = fold_of(lists([1, 2, 3, 4], [5]), test=1, window=1000)
    assert shown(fold) == [[4, 3, 2], [4, 3, 1], [1, 4, 2], [1, 2, 3]]


def test_an_item_that_stands_in_its_own_window_is_hidden_there():
    fold = fold_of(lists([1, 2, 1, 1, 1], [5]), test=1, window=1)
    # The last position is surrounded by its own item alone, and so is the one before it.
    assert fold.truth["items"].indices.tolist() == [1, 2, 1]
    assert shown(fold) == [[2], [1, 1], [2]]
    assert fold.weights.tolist() == [1 / 3] * 3


def test_repeats_stay_in_the_window_where_they_are_allowed():
    data = lists([1, 2, 1, 1, 1], [5])
    fold = fold_of(data, test=1, window=1, seen="allow")
    assert fold.truth["items"].indices.tolist() == [1, 2, 1, 1, 1]
    assert shown(fold) == [[2], [1, 1], [1, 2], [1, 1], [1]]
    assert fold.weights.tolist() == [1 / 5] * 5
    assert EachPosition(EachPosition.Config(seen="allow")).asks_for_seen
    assert not EachPosition().asks_for_seen
    other = fold_of(lists([1, 2, 3, 4, 5], [6, 7]), test=1, min_items=3, window=2, seen="allow")
    assert shown(other) == shown(fold_of(lists([1, 2, 3, 4, 5], [6, 7]), test=1, min_items=3, window=2))


def test_the_mean_of_queries_is_the_mean_of_lists():
    data = lists([1, 2, 3, 4], [5, 6], [7, 8, 9], [1, 9])
    fold = fold_of(data, test=3)
    slates = np.tile(np.array([[1, 5, 7]], np.int32), (len(fold.queries), 1))
    truth = fold.truth["items"]
    eval_batch = EvalBatch("items", slates, kernels.hits(slates, truth), truth, fold.train)
    hits = HitRate().values(eval_batch, 3)
    of_lists = [hits[fold.units == unit].mean() for unit in np.unique(fold.units)]
    totals = Totals.of(membership(fold.units, fold.weights), hits[:, None])
    assert len(of_lists) == 3
    assert totals.means[0] == pytest.approx(np.mean(of_lists))


def test_a_share_and_a_number_of_lists():
    data = lists(*[[1, 2]] * 10)
    assert len(np.unique(fold_of(data, test=0.3).units)) == len(np.unique(fold_of(data, test=3).units)) == 3
    inner = EachPosition(EachPosition.Config(validation=4)).validation_split(data, np.random.default_rng(0))
    assert len(np.unique(inner.units)) == 4


def test_too_few_lists_and_nothing_to_learn_from_are_errors():
    with pytest.raises(DataError, match=r"1 of the \d+ users have 3 distinct items \(the most is 3\), but 2 are"):
        fold_of(lists([1, 2, 3], [1, 2, 1]), test=2, min_items=3)
    with pytest.raises(DataError, match="leaves no interaction to learn from"):
        fold_of(lists([1, 2, 3]), test=1)


def test_training_knows_nothing_of_held_out_lists():
    data = random_dataset()
    fold = fold_of(data, test=0.3)
    held = np.zeros(len(data.users), bool)
    held[fold.units] = True
    assert fold.train.fingerprint == data.hide_users(held).fingerprint
    assert not fold.queries.matrix("tags").nnz
    assert not any(fold.queries.text)
