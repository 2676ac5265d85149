"""Checks of the segments that segmenters return, and of batches of queries that carry them."""

import numpy as np
import pytest

from hybridrec.data.queries import QueryBatch
from hybridrec.data.segments.base import Segmenter, segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.errors import PluginError
from hybridrec.testing import toy_dataset, toy_queries

DATA = toy_dataset()
QUERIES = toy_queries(DATA)
N = len(QUERIES)


class Says(Segmenter):
    """A segmenter that returns whatever it is told to."""

    name = "says"
    answer = None

    def segment(self, queries, data):
        return self.answer


WRONG = {
    "must return an array of text": [["a"] * N, np.zeros(N), np.array([["a"] * N]), np.array(["a"] * N, object)],
    f"not <U1 \\[{N - 1}\\]": [np.array(["a"] * (N - 1))],
    "named query 3 the empty text": [np.array(["a"] * 3 + [""] * (N - 3))],
    "named query 0 'all', which means every query": [np.array(["all"] * N)],
}


@pytest.mark.parametrize(("message", "answer"), [(m, a) for m, answers in WRONG.items() for a in answers])
def test_anything_but_a_name_for_each_query_is_refused(message, answer):
    says = Says()
    says.answer = answer
    with pytest.raises(PluginError, match=message):
        segments_of(says, QUERIES, DATA)


def carrying(queries=QUERIES):
    names = np.array([f"segment {number}" for number in range(len(queries))])
    return QueryBatch(
        **{name: getattr(queries, name) for name in ("users", "history", "entities", "text")}, segment=names
    )


def test_a_batch_carries_its_segments_when_it_is_cut_and_stacked():
    batch = carrying()
    assert batch.segments().tolist() == [f"segment {number}" for number in range(N)]
    assert batch.take(np.array([4, 1])).segments().tolist() == ["segment 4", "segment 1"]
    assert batch.take(slice(2, 4)).segments().tolist() == ["segment 2", "segment 3"]
    both = QueryBatch.stack([batch.take(slice(0, 1)), QUERIES.take(slice(5, 6))])
    assert both.segments().tolist() == ["segment 0", QUERIES.known_fields()[5]]
    assert QueryBatch.stack([QUERIES, QUERIES]).segment is None
    with pytest.raises(ValueError, match="read-only"):
        batch.segments()[0] = "other"


def test_a_batch_without_segments_has_those_of_what_it_knows():
    assert QUERIES.segments().tolist() == QUERIES.known_fields().tolist()
    assert segments_of(KnownFields(), carrying(), DATA).tolist() == carrying().known_fields().tolist()
