"""Queries in external ids to batches of arrays, and what batches do."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import DataError, Query, QueryBatch, Vocabulary
from hybridrec.data.encoding import encode
from hybridrec.testing import toy_dataset, toy_queries

DATA = toy_dataset(users=6, items=9, tags=4)
EVERYTHING = Query(
    user="user 02",
    items=["item 05", "nothing", "item 01", "item 05"],
    tags=["tag 03", "tag 00", "tag 03", "nothing"],
    text="  even evening ",
    time=1e9,
    item_times=[4.0, 3.0, 2.0, 1.0],
    item_weights=[0.5, 9.0, 2.0, 3.0],
    disliked=["item 07", "nothing"],
)


def test_everything_known_is_encoded_in_its_order():
    batch = encode([Query(), EVERYTHING], DATA)
    assert batch.users.tolist() == [-1, 2]
    assert batch.history.take(np.array([1])).ids.tolist() == [5, 1, 5]
    assert batch.history.lengths.tolist() == [0, 3]
    assert batch.history.times.tolist() == [4, 2, 1]  # the unknown id goes with its time
    assert batch.history.weights.tolist() == [0.5, 2, 3]
    assert batch.tags.toarray().tolist() == [[0] * 4, [1, 0, 0, 1]]
    assert batch.text == ("", "even evening")
    np.testing.assert_array_equal(batch.times, [np.nan, 1e9])
    assert batch.disliked.ids.tolist() == [7]
    assert batch.disliked.lengths.tolist() == [0, 1]
    assert batch.user_features.shape == (2, 4)
    assert batch.user_features[0].nnz == 0
    types = [batch.users.dtype, batch.history.ids.dtype, batch.history.weights.dtype, batch.tags.dtype]
    assert types == [np.int32, np.int32, np.float32, np.float32]
    assert batch.history.times.dtype == batch.times.dtype == np.float64


def test_what_nobody_tells_is_none():
    batch = encode([Query(items=["item 01"]), Query(user="nobody")], replace(DATA, user_features=None))
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
    assert nobody.tags.shape == (0, 4)
    assert nobody.segments().tolist() == []
    assert encode([EVERYTHING], toy_dataset(users=1, items=1, tags=0)).tags.shape == (1, 0)


def content(batch):
    """All there is, row by row, as plain values."""
    parts = [batch.take(np.array([row])) for row in range(len(batch))]
    return [
        (
            part.users.tolist(),
            *(
                None if ragged is None else (ragged.ids.tolist(), ragged.offsets.tolist())
                for ragged in (part.history, part.disliked)
            ),
            part.tags.toarray().tolist(),
            part.text,
            None if part.times is None else repr(part.times.tolist()),
            None if part.user_features is None else part.user_features.toarray().tolist(),
        )
        for part in parts
    ]


@pytest.mark.parametrize("rows", [np.array([3, 0, 3]), np.array([], int), slice(2, 9, 3), slice(None)])
def test_take_gives_the_rows_in_their_order(rows):
    batch = toy_queries(DATA)
    wanted = [content(batch)[row] for row in np.arange(len(batch))[rows]]
    assert content(batch.take(rows)) == wanted


def test_take_by_mask():
    batch = toy_queries(DATA)
    assert content(batch.take(batch.users >= 0)) == content(batch.take(np.flatnonzero(batch.users >= 0)))


def test_stack_is_the_inverse_of_take():
    batch = toy_queries(DATA)
    again = QueryBatch.stack([batch.take(slice(0, 4)), batch.take(slice(4, 4)), batch.take(slice(4, None))])
    assert content(again) == content(batch)


def test_stack_pads_what_only_some_carry():
    rich, poor = encode([EVERYTHING], DATA), encode([Query(items=["item 01"])], DATA)
    both = QueryBatch.stack([poor, rich])
    np.testing.assert_array_equal(both.times, [np.nan, 1e9])
    assert both.disliked.lengths.tolist() == [0, 1]
    assert QueryBatch.stack([poor, poor]).times is None
    assert QueryBatch.stack([poor, poor]).disliked is None


def test_segments_partition_the_queries_by_what_they_know():
    batch = encode(
        [
            EVERYTHING,
            Query(items=["item 01"]),
            Query(items=["nothing"], tags=["tag 01"]),
            Query(text=" "),
            Query(text="x"),
            Query(user="nobody", items=["item 01"], tags=["tag 01"]),
        ],
        DATA,
    )
    assert batch.segments().tolist() == ["user+items+tags+title", "items", "tags", "nothing", "title", "items+tags"]
    for field in ("user", "items", "tags", "title"):
        named = [field in segment.split("+") for segment in batch.segments().tolist()]
        assert batch.has(field).tolist() == named
        assert batch.has(field).dtype == bool


def test_whole_numbers_are_ids_and_a_text_is_no_list() -> None:
    data = toy_dataset()
    first = data.items.ids[0]
    assert encode([Query(items=[first])], data).history.ids.tolist() == [0]
    with pytest.raises(DataError, match=r"Query.tags is the text 'rock'; give a list"):
        Query(tags="rock")
    numbered = replace(data, items=Vocabulary([str(n) for n in range(len(data.items))]))
    assert len(encode([Query(items=[7])], numbered).history.ids) == 1  # type: ignore[list-item]
