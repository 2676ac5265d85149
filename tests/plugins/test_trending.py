"""Trending: shares around the query's time, as by hand."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import DataError, Ragged
from hybridrec.testing import ComponentContract, toy_dataset, toy_queries
from hybridrec_baselines.trending import Trending, TrendingOptions

DAY = 86_400.0


class TestTrendingContract(ComponentContract):
    component = Trending
    configs = [{}, {"half_life": 0.5, "smoothing": 1}]


def shares(rows, times, asked, **options):
    """The shares for users with the given histories, at the times (in days) that are asked for."""
    history = replace(Ragged.from_rows(rows, 3), times=np.array(times, float) * DAY)
    data = replace(toy_dataset(users=len(rows), items=3, tags=2), interactions=history)
    fitted = Trending(TrendingOptions(**options)).fit(data, np.random.default_rng(0))
    queries = replace(toy_queries(data).take(np.arange(len(asked))), times=np.array(asked, float) * DAY)
    return fitted.scores(queries, "items")


def test_an_interaction_counts_half_at_a_half_life_before_or_after():
    """Two users, 10 days apart: the near one counts 1, the far one 1/2, the same mirrored."""
    share = shares([[0], [1]], [100, 110], [100, 110], half_life=10, smoothing=1e-9)
    assert share == pytest.approx(np.array([[2 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0]]), abs=0.02)


def test_without_a_time_or_anybody_near_the_overall_shares_stand():
    share = shares([[0, 0], [1]], [100, 101, 100], [np.nan, 100_000], half_life=10)
    assert share == pytest.approx(np.array([[0.5, 0.5, 0], [0.5, 0.5, 0]]), abs=1e-6)


def test_smoothing_draws_towards_the_overall_shares():
    close = shares([[0], [1]], [0, 1_000], [0], half_life=1, smoothing=1)
    assert close == pytest.approx(np.array([[0.75, 0.25, 0]]), abs=0.02)


def test_a_user_with_an_item_twice_in_a_bin_counts_once():
    share = shares([[0, 0, 1], [1]], [5, 5, 5, 5], [5], half_life=100, smoothing=1e-9)
    assert share == pytest.approx(np.array([[0.5, 1, 0]]), abs=1e-6)


def test_data_without_times_is_refused():
    data = replace(toy_dataset(), interactions=replace(toy_dataset().interactions, times=None))
    with pytest.raises(DataError, match="needs the times of interactions"):
        Trending().fit(data, np.random.default_rng(0))
