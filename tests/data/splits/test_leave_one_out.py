"""The split `leave-one-out` hides one item of each user, with its repeats."""

from __future__ import annotations

import numpy as np

from hybridrec.data.splits import LeaveOneOut
from tests.data.builders import folds_of, histories, random_dataset


def test_leave_one_out_hides_the_last_item_with_its_repeats():
    data = histories(random_dataset(), [4, 5, 6], [7, 8, 7], [9], [3, 3])
    (fold,) = folds_of(LeaveOneOut(), data)
    assert fold.units.tolist() == [0, 1]
    assert fold.truth["items"].indices.tolist() == [6, 7]
    assert fold.train.interactions.take(np.arange(4)).ids.tolist() == [4, 5, 8, 9, 3, 3]


def test_leave_one_out_picks_any_item_at_random():
    data = histories(random_dataset(), *[[1, 2, 3, 2]] * 30)
    (fold,) = folds_of(LeaveOneOut(LeaveOneOut.Config(pick="random")), data)
    assert fold.truth["items"].getnnz(axis=1).tolist() == [1] * 30
    assert set(fold.truth["items"].indices) == {1, 2, 3}


def test_leave_one_out_validation_takes_a_share_of_users(data):
    splitter = LeaveOneOut(LeaveOneOut.Config(validation=0.5))
    enough = (data.interactions.matrix(binary=True).getnnz(axis=1) >= 2).sum()
    assert len(splitter.validation_split(data, np.random.default_rng(0)).units) == round(enough / 2)


def test_leave_one_out_may_hide_one_of_several_repeats():
    data = histories(random_dataset(), [4, 5, 6], [7, 8, 7], [9], [3, 3])
    splitter = LeaveOneOut(LeaveOneOut.Config(seen="allow"))
    (fold,) = folds_of(splitter, data)
    assert fold.units.tolist() == [0, 1, 3]
    assert fold.truth["items"].indices.tolist() == [6, 7, 3]
    assert fold.train.interactions.take(np.arange(4)).ids.tolist() == [4, 5, 7, 8, 9, 3]
    assert not LeaveOneOut().asks_for_seen
