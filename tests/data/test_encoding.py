"""Queries in external ids become arrays: known ids in their order, and what stands beside them."""

import numpy as np
import pytest

from hybridrec import DataError, Query
from hybridrec.data.encoding import encode, with_recent
from hybridrec.testing import toy_dataset
from tests.data.builders import DATA, EVERYTHING


def test_everything_known_is_encoded_in_its_order():
    batch = encode([Query(), EVERYTHING], DATA)
    assert batch.users.tolist() == [-1, 2]
    assert batch.history.take(np.array([1])).ids.tolist() == [5, 1, 5]
    assert batch.history.lengths.tolist() == [0, 3]
    assert batch.history.times.tolist() == [4, 2, 1]  # the unknown id goes with its time
    assert batch.history.weights.tolist() == [0.5, 2, 3]
    assert batch.matrix("tags").toarray().tolist() == [[0] * 4, [1, 0, 0, 1]]
    assert batch.text == ("", "even evening")
    np.testing.assert_array_equal(batch.times, [np.nan, 1e9])
    assert batch.disliked.ids.tolist() == [7]
    assert batch.disliked.lengths.tolist() == [0, 1]
    assert batch.user_features.matrix.shape == (2, 4)
    assert batch.user_features.matrix[0].nnz == 0
    types = [batch.users.dtype, batch.history.ids.dtype, batch.history.weights.dtype, batch.matrix("tags").dtype]
    assert types == [np.int32, np.int32, np.float32, np.float32]
    assert batch.history.times.dtype == batch.times.dtype == np.float64


def test_what_nobody_tells_is_none():
    batch = encode([Query(items=["item 01"]), Query(user="nobody")], DATA.with_entities("users", features=None))
    assert batch.users.tolist() == [-1, -1]
    assert (batch.times, batch.disliked, batch.user_features) == (None, None, None)
    assert (batch.history.times, batch.history.weights) == (None, None)


def test_a_query_without_times_beside_one_with_them():
    batch = encode([Query(items=["item 01"]), Query(items=["item 02"], item_times=[5], item_weights=[3])], DATA)
    np.testing.assert_array_equal(batch.history.times, [np.nan, 5])
    assert batch.history.weights.tolist() == [1, 3]


@pytest.mark.parametrize("name", ["item_times", "item_weights"])
def test_values_that_do_not_stand_beside_the_items_are_refused(name):
    with pytest.raises(DataError, match=f"query 1: {name} has 2 values for 1 items; give one for each"):
        encode([Query(), Query(items=["item 01"], **{name: [1.0, 2.0]})], DATA)


def test_no_queries_and_an_empty_vocabulary():
    nobody = encode([], DATA)
    assert len(nobody) == 0
    assert nobody.matrix("tags").shape == (0, 4)
    assert nobody.segments().tolist() == []
    assert encode([EVERYTHING], toy_dataset(users=1, items=1, tags=0)).matrix("tags").shape == (1, 0)


@pytest.mark.parametrize("weight", [np.nan, np.inf, 1e39])
def test_weights_that_no_array_holds_are_refused(weight):
    with pytest.raises(DataError, match="query 0: item_weights has a value that is not a finite number of 32 bits"):
        encode([Query(items=["item 01"], item_weights=[weight])], DATA)


def test_a_recent_item_that_the_history_has_at_that_time_is_not_repeated():
    stated = {"items": ["item 01", "item 02"], "item_times": [5.0, 6.5]}
    queries = [
        Query(**stated, recent=["item 02", "item 02", "item 03", "item 01"], recent_times=[6.5, 7.0, 6.5, 6.5]),
        Query(items=["item 02"], recent=["item 02"], recent_times=[6.5]),
        Query(**stated, recent=["item 02"]),
    ]
    history = with_recent(encode(queries, DATA), queries, DATA).history
    rows = [history.take(np.array([row])) for row in range(3)]
    assert [row.ids.tolist() for row in rows] == [[1, 2, 2, 3, 1], [2, 2], [1, 2, 2]]
    np.testing.assert_array_equal(rows[0].times, [5, 6.5, 7, 6.5, 6.5])
