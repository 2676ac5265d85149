import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from hybridrec.data.builder import Tables, assemble
from hybridrec.data.ragged import Ragged
from hybridrec.data.transforms import DAY, WeightOptions, k_core, split_dislikes, weigh
from hybridrec.errors import DataError


def history(**columns):
    rows = np.array([0, 0, 1], np.int32)
    arrays = {name: np.array(values, np.float64) for name, values in columns.items()}
    return Ragged.from_columns(rows, np.array([0, 1, 1], np.int32), (2, 2), **arrays)


def pairs_to_data(*pairs):
    return assemble(Tables(pl.DataFrame(pairs, ["user", "item"], orient="row")))


def pairs_of(data):
    history = data.interactions
    return list(zip(data.users.vocabulary.decode(history.rows), data.items.vocabulary.decode(history.ids), strict=True))


def test_by_default_nothing_changes():
    for columns in ({}, {"weights": [1, 2, 3]}):
        before = history(**columns)
        after = weigh(before, WeightOptions())
        assert after.ids.tolist() == before.ids.tolist()
        assert (after.weights is None) == (before.weights is None)


def test_threshold_drops_below_and_keeps_the_limit():
    after = weigh(history(weights=[1, 2, 3]), WeightOptions(threshold=2))
    assert after.weights.tolist() == [2, 3]
    assert after.lengths.tolist() == [1, 1]


def test_log_and_binary():
    before = history(weights=[1, 2, 3])
    np.testing.assert_allclose(weigh(before, WeightOptions(transform="log")).weights, np.log([2, 3, 4]), rtol=1e-6)
    assert weigh(before, WeightOptions(transform="binary")).weights is None
    assert weigh(history(), WeightOptions(transform="log")).weights is None


def test_a_half_life_halves():
    before = history(weights=[4, 4, 4], times=[0, 10 * DAY, 20 * DAY])
    after = weigh(before, WeightOptions(half_life=10))
    np.testing.assert_allclose(after.weights, [1, 2, 4])
    assert after.weights.dtype == np.float32
    np.testing.assert_allclose(weigh(history(times=[0, 0, 7 * DAY]), WeightOptions(half_life=7)).weights, [0.5, 0.5, 1])


def test_an_old_interaction_still_counts():
    ancient = weigh(history(times=[0, 0, 1e6 * DAY]), WeightOptions(half_life=1))
    assert (ancient.weights > 0).all()


def test_steps_follow_one_another():
    before = history(weights=[1, 3, 7], times=[0, 0, DAY])
    after = weigh(before, WeightOptions(threshold=3, transform="log", half_life=1))
    np.testing.assert_allclose(after.weights, [np.log(4) / 2, np.log(8)], rtol=1e-6)


def test_a_negative_weight_is_a_dislike_whatever_the_limit():
    for limit in (None, 0, 0.5):
        kept, dislikes = split_dislikes(history(weights=[-1, 2, -5]), WeightOptions(dislike=limit))
        assert kept.weights.tolist() == [2]
        assert len(dislikes.ids) == 2
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        WeightOptions(dislike=-3)  # weights between it and 0 would be neither


@pytest.mark.parametrize("options", [{"threshold": 2}, {"half_life": 3}])
def test_what_the_data_lacks_is_said(options):
    with pytest.raises(DataError, match=f"{next(iter(options))} needs"):
        weigh(history(), WeightOptions(**options))


def test_k_core_is_repeated_until_all_have_enough():
    # c is too rare; without c, user 3 has one item left; without user 3, b is too rare for 2 users.
    data = pairs_to_data(("1", "a"), ("1", "d"), ("2", "a"), ("2", "d"), ("1", "b"), ("3", "b"), ("3", "c"))
    core = k_core(data, users=2, items=2)
    assert pairs_of(core) == [("1", "a"), ("1", "d"), ("2", "a"), ("2", "d")]
    assert core.users == data.users
    assert core.items == data.items


def test_k_core_counts_distinct_pairs_and_keeps_repeats():
    data = pairs_to_data(("1", "a"), ("1", "a"), ("2", "a"), ("2", "b"))
    assert pairs_of(k_core(data, users=2)) == [("2", "a"), ("2", "b")]
    assert pairs_of(k_core(data, items=2)) == [("1", "a"), ("1", "a"), ("2", "a")]


def test_k_core_of_one_changes_nothing_and_too_much_leaves_nothing():
    data = pairs_to_data(("1", "a"), ("2", "b"))
    assert k_core(data) is data
    nothing = k_core(data, users=5)
    assert len(nothing.interactions.ids) == 0
    assert len(k_core(nothing, users=5).interactions.ids) == 0
