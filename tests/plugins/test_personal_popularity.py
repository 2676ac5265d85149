"""Personal popularity: decayed counts of a history, as by hand."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Ragged
from hybridrec.testing import ComponentContract, toy_dataset, toy_queries
from hybridrec_baselines.personal_popularity import PersonalPopularity, PersonalPopularityOptions

DAY = 86_400.0


class TestPersonalPopularityContract(ComponentContract):
    component = PersonalPopularity
    configs = [{}, {"half_life": None}]


def counts(rows, times, asked, **options):
    """Return the scores of three items for histories with times, queries at the times `asked` (all in days)."""
    history = Ragged.from_rows(rows, 3)
    if times is not None:
        history = replace(history, times=np.array(times, float) * DAY)
    queries = toy_queries(toy_dataset(users=len(rows), items=3, tags=2)).take(np.arange(len(rows)))
    queries = replace(queries, history=history, times=None if asked is None else np.array(asked, float) * DAY)
    return PersonalPopularity(PersonalPopularityOptions(**options)).scores(queries, "items")


NONE = np.nan


def test_an_interaction_counts_half_at_a_half_life_before_the_query():
    scores = counts([[0, 1, 0], []], [80, 90, 100], [100, 100], half_life=10)
    assert scores == pytest.approx(np.array([[1.25, 0.5, NONE], [NONE] * 3]), nan_ok=True)


def test_without_a_time_of_the_query_the_latest_interaction_is_now():
    scores = counts([[0, 1], [2]], [90, 100, 70], [np.nan, 80], half_life=10)
    assert scores == pytest.approx(np.array([[0.5, 1, NONE], [NONE, NONE, 0.5]]), nan_ok=True)
    assert counts([[0, 1], [2]], [90, 100, 70], None, half_life=10)[1, 2] == 1


@pytest.mark.parametrize(("times", "half_life"), [(None, 10), ([50, 60, np.nan], None)])
def test_without_times_or_half_life_all_count_alike(times, half_life):
    scores = counts([[0, 0, 1]], times, [100], half_life=half_life)
    assert scores == pytest.approx(np.array([[2, 1, NONE]]), nan_ok=True)


def test_an_interaction_without_a_time_counts_as_of_now():
    assert counts([[0, 1]], [np.nan, 90], [100], half_life=10) == pytest.approx(np.array([[1, 0.5, NONE]]), nan_ok=True)
