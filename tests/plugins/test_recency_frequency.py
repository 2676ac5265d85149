"""Recency and frequency: the columns by hand, what is not before the request does not count, unknown is not 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import PADDING, DataError, Ragged
from hybridrec.testing import ComponentContract, toy_dataset, toy_queries
from hybridrec_sessions.recency_frequency import RecencyFrequency, RecencyFrequencyOptions

DAY = 86_400.0
NAN = np.nan


class TestRecencyFrequencyContract(ComponentContract):
    component = RecencyFrequency
    configs = [{}, {"windows": [0.5]}]


def timed(rows, days, items=4):
    """Histories with the given times in days."""
    return replace(Ragged.from_rows(rows, items), times=np.array(days, float) * DAY)


def columns(history, days, ids, **options):
    """The columns by name, for queries with this history at these days; users had 0 on days 1, 8 and 9, 1 on day 4."""
    data = replace(toy_dataset(users=2, items=4, tags=2), interactions=timed([[0, 1, 0], [0]], [1, 4, 9, 8]))
    fitted = RecencyFrequency(RecencyFrequencyOptions(**options)).fit(data, np.random.default_rng(0))
    empty = toy_queries(data).take(np.zeros(len(days), int))
    queries = replace(empty, history=history, times=np.array(days, float) * DAY)
    values = fitted.score(queries, np.array(ids, np.int32), "items")
    return dict(zip(fitted.columns, values, strict=True))


NOTHING = Ragged.empty(1, 4)


def test_recency_counts_the_days_since_anybody_had_the_item():
    values = columns(NOTHING, [10], [[0, 1, 2, PADDING]])["recency"]
    np.testing.assert_allclose(values, [[-np.log(2), -np.log(7), NAN, NAN]], rtol=1e-6)
    assert values[0, 0] > values[0, 1]  # as of scores, the higher is the more recent


def test_frequency_is_the_share_of_all_interactions_of_a_window():
    values = columns(NOTHING, [10], [[0, 1, 2, PADDING]], windows=[1.5, 7, 100])
    assert list(values) == ["recency", "frequency-1.5", "frequency-7", "frequency-100", "own-recency", "own-frequency"]
    np.testing.assert_allclose(values["frequency-1.5"], [[1, 0, 0, NAN]])
    np.testing.assert_allclose(values["frequency-7"], [[2 / 3, 1 / 3, 0, NAN]], rtol=1e-6)
    np.testing.assert_allclose(values["frequency-100"], [[3 / 4, 1 / 4, 0, NAN]])


def test_what_comes_at_the_time_of_the_request_or_later_does_not_count():
    values = columns(Ragged.empty(3, 4), [9, 4, 1], [[0, 1]] * 3, windows=[100])
    np.testing.assert_allclose(values["recency"], -np.log([[2, 6], [4, NAN], [NAN, NAN]]), rtol=1e-6)
    np.testing.assert_allclose(values["frequency-100"], [[2 / 3, 1 / 3], [1, 0], [NAN, NAN]], rtol=1e-6)


def test_the_own_history_counts_by_itself_in_whatever_order():
    history = timed([[2, 1, 2, 2], [], [1]], [6, 1, 8, 7, NAN])
    values = columns(history, [10, 10, 10], [[0, 1, 2], [1, 2, PADDING], [0, 1, PADDING]])
    np.testing.assert_allclose(values["own-frequency"], [[0, 1, 3], [0, 0, NAN], [0, 1, NAN]])
    recency = [[NAN, -np.log(10), -np.log(3)], [NAN] * 3, [NAN] * 3]
    np.testing.assert_allclose(values["own-recency"], recency, rtol=1e-6)


def test_a_request_without_a_time_knows_its_own_counts_alone():
    values = columns(timed([[2, 2]], [1, 2]), [NAN], [[0, 2]])
    assert values.pop("own-frequency").tolist() == [[0, 2]]
    assert all(np.isnan(column).all() for column in values.values())


def test_items_are_read_though_they_are_not_needed():
    assert [RecencyFrequency().reads(name) for name in ("items", "tags", "title")] == [True, False, False]


def test_data_without_times_is_refused():
    data = replace(toy_dataset(), interactions=replace(toy_dataset().interactions, times=None))
    with pytest.raises(DataError, match="needs the times of interactions"):
        RecencyFrequency().fit(data, np.random.default_rng(0))
