"""Segments by what queries know."""

from hybridrec.data.encoding import encode
from hybridrec.data.queries import Query
from hybridrec.data.segments.base import segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.testing import toy_dataset


def test_a_query_is_in_the_segment_of_the_fields_that_it_knows():
    data = toy_dataset()
    queries = [Query(items=["item 02"]), Query(user="user 00", tags=["tag 01"]), Query(text="words"), Query()]
    segments = segments_of(KnownFields(), encode(queries, data), data)
    assert segments.tolist() == ["items", "user+tags", "title", "nothing"]
