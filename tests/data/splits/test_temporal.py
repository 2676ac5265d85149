"""The split `temporal` learns strictly before its cut, and asks from then on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.splits import Temporal
from hybridrec.errors import DataError
from hybridrec.types import PADDING
from tests.data.builders import bare, folds_of, histories, random_dataset


def test_temporal_learns_strictly_before_the_cut():
    data = histories(random_dataset(), [1, 2, 3, 1], [4, 5], [6, 7], times=[10, 20, 30, 40, 20, 30, 30, 40])
    (fold,) = folds_of(Temporal(Temporal.Config(cut="1970-01-01T00:00:30")), data)
    assert fold.train.interactions.times.tolist() == [10, 20, 20]
    assert fold.units.tolist() == [0, 1, 2]
    assert fold.queries.users.tolist() == [0, 1, PADDING]
    assert fold.queries.times.tolist() == [30.0] * 3
    # Item 1 is a repeat.
    assert [row.indices.tolist() for row in fold.truth["items"]] == [[3], [5], [6, 7]]


def test_temporal_share_takes_the_latest(data):
    times = data.interactions.times
    (fold,) = folds_of(Temporal(Temporal.Config(test=0.25)), data)
    kept = fold.train.interactions.times
    assert len(kept) == len(times) - round(len(times) * 0.25)
    assert kept.max() < np.setdiff1d(times, kept).min()
    assert (fold.queries.times > kept.max()).all()
    assert (fold.queries.times <= np.setdiff1d(times, kept).min()).all()


def test_temporal_keeps_interactions_of_one_time_together():
    data = histories(random_dataset(), [1, 2], [3, 4], [5, 6], times=[1, 2, 1, 2, 1, 2])
    (fold,) = folds_of(Temporal(Temporal.Config(test=0.1)), data)
    assert fold.train.interactions.ids.tolist() == [1, 3, 5]


def test_temporal_asks_only_users_with_enough_history(data):
    for fold in folds_of(Temporal(Temporal.Config(min_history=3, test=0.4)), data):
        assert (fold.queries.history.matrix(binary=True).getnnz(axis=1) >= 3).all()


def test_a_cut_without_a_zone_is_utc():
    zoned = Temporal.Config(cut="2020-01-01T02:00:00+02:00")
    data = histories(random_dataset(), [1, 2], times=[1577836799, 1577836800])
    for config in (zoned, Temporal.Config(cut="2020-01-01")):
        (fold,) = folds_of(Temporal(config), data)
        assert fold.train.interactions.ids.tolist() == [1]


def test_temporal_without_times_says_what_to_name():
    with pytest.raises(DataError, match="no times; name their column"):
        folds_of(Temporal(), bare(random_dataset()))


def test_temporal_errors_give_the_range_of_the_data(data):
    late = Temporal(Temporal.Config(cut="2050-01-01"))
    with pytest.raises(
        DataError, match=r"cut at 2050-01-01T00:00:00 leaves \d+ .* and 0 from then on.*from 2001-09-09"
    ):
        folds_of(late, data)
    times = data.interactions.times.copy()
    times[3] = np.nan
    with pytest.raises(DataError, match=r"1 of \d+ interactions have no time"):
        folds_of(Temporal(), replace(data, interactions=replace(data.interactions, times=times)))


def test_temporal_may_ask_for_what_users_had_before():
    data = histories(random_dataset(), [1, 2, 3, 1, 1], [4, 5], [6, 6], times=[10, 20, 30, 40, 50, 20, 30, 30, 40])
    splitter = Temporal(Temporal.Config(cut="1970-01-01T00:00:30", seen="allow"))
    assert splitter.asks_for_seen
    (fold,) = folds_of(splitter, data)
    assert [row.indices.tolist() for row in fold.truth["items"]] == [[1, 3], [5], [6]]
    assert all(set(row.data) == {1.0} for row in fold.truth["items"])
    assert fold.queries.history.take(np.array([0])).ids.tolist() == [1, 2]


def test_gains_of_repeats_are_those_of_hidden_interactions_alone():
    data = histories(random_dataset(), [1, 1, 1], [2, 3], times=[10, 30, 40, 10, 30])
    weighted = replace(data, interactions=replace(data.interactions, weights=np.array([9, 2, 3, 1, 5], np.float32)))
    (fold,) = folds_of(Temporal(Temporal.Config(cut="1970-01-01T00:00:30", seen="allow")), weighted)
    assert fold.gains["items"].toarray()[0, 1] == 5
