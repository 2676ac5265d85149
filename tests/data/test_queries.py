"""Batches of queries: rows taken and stacked, and segments by what is known."""

import numpy as np
import pytest

from hybridrec import DataError, Query, QueryBatch, Vocabulary
from hybridrec.data.encoding import encode
from hybridrec.testing import toy_dataset, toy_queries
from tests.data.builders import DATA, EVERYTHING


def content(batch):
    """All there is, row by row, as plain values."""
    parts = [batch.take(np.array([row])) for row in range(len(batch))]
    return [
        (
            queries.users.tolist(),
            *(
                None if ragged is None else (ragged.ids.tolist(), ragged.offsets.tolist())
                for ragged in (queries.history, queries.disliked)
            ),
            queries.matrix("tags").toarray().tolist(),
            queries.text,
            None if queries.times is None else repr(queries.times.tolist()),
            None if queries.user_features is None else queries.user_features.matrix.toarray().tolist(),
        )
        for queries in parts
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
    first = data.items.vocabulary.ids[0]
    assert encode([Query(items=[first])], data).history.ids.tolist() == [0]
    with pytest.raises(DataError, match=r"Query.tags is the text 'rock'; give a list"):
        Query(tags="rock")
    numbered = data.with_entities("items", vocabulary=Vocabulary([str(n) for n in range(len(data.items))]))
    assert len(encode([Query(items=[7])], numbered).history.ids) == 1  # type: ignore[list-item]


def test_ids_are_text_or_whole_numbers():
    numbers = Query(user=17850.0, items=[7, np.int64(8), 9.0, "x"], entities={"tags": (np.float32(3),)})
    assert (numbers.user, numbers.items, numbers.entities) == ("17850", ["7", "8", "9", "x"], {"tags": ["3"]})
    ids = ["a", "b"]
    assert Query(items=ids).items is ids
    for wrong in ({"user": 1.5}, {"items": [float("nan")]}, {"user": True}, {"tags": [None]}, {"user": float("inf")}):
        with pytest.raises(DataError, match=r"Query.\w+: .* is not an id; ids are text or whole numbers"):
            Query(**wrong)


def test_the_matrix_of_the_history_is_made_once_and_shared() -> None:
    queries = toy_queries(DATA)
    matrix = queries.matrix("items")
    assert queries.matrix("items") is matrix
    assert (matrix != queries.history.matrix(binary=True)).nnz == 0
    with pytest.raises(ValueError, match="read-only"):
        matrix.data[:] = 2
