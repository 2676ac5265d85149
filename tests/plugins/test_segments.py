"""Segmenters by activity, attribute and time: their contract, and segments by hand."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Features
from hybridrec.data.encoding import encode
from hybridrec.data.queries import Query
from hybridrec.data.segments.base import segments_of
from hybridrec.errors import DataError
from hybridrec.testing import SegmenterContract, toy_dataset, toy_queries
from hybridrec_segments.activity import Activity
from hybridrec_segments.attribute import Attribute
from hybridrec_segments.query_time import QueryTime

DATA = toy_dataset()


class TestActivity(SegmenterContract):
    segmenter = Activity
    configs = [{}, {"bounds": [1, 3]}]


class TestAttribute(SegmenterContract):
    segmenter = Attribute
    configs = [
        {},
        {"of": "items"},
        {"of": "items", "names": ["even", "odd"]},
        {"of": "items", "names": ["price"], "bounds": [2, 4]},
        {"among": "tags"},
        {"of": "items", "among": "tags"},
        {"names": ["low"], "bounds": [1]},
    ]


class TestTime(SegmenterContract):
    segmenter = QueryTime
    configs = [{}, *({"by": unit, "utc_offset": 2} for unit in ("year", "weekday", "hour"))]


def named(segmenter, queries, data=DATA, **options):
    return segments_of(segmenter(segmenter.Config(**options)), encode(queries, data), data).tolist()


def with_histories(*lengths):
    return [Query(items=["item 02"] * length) for length in lengths]


def test_activity_counts_the_history_that_is_shown_repeats_included():
    queries = with_histories(0, 4, 5, 19, 20, 99)
    wanted = ["0-4", "0-4", "5-19", "5-19", "20 or more", "20 or more"]
    assert named(Activity, queries) == wanted
    assert named(Activity, with_histories(0, 1, 2, 3), bounds=[1, 2]) == ["0", "1", "2 or more", "2 or more"]


def test_time_is_named_in_order_and_in_local_time():
    times = [0.0, 1.7e9, None, -1.0]  # Thursday 1970-01-01, Tuesday 2023-11-14 22:13:20
    queries = [Query(items=["item 02"], time=time) for time in times]
    assert named(QueryTime, queries) == ["1970-01", "2023-11", "unknown", "1969-12"]
    assert named(QueryTime, queries, by="year") == ["1970", "2023", "unknown", "1969"]
    assert named(QueryTime, queries, by="weekday") == ["4 Thursday", "2 Tuesday", "unknown", "3 Wednesday"]
    assert named(QueryTime, queries, by="hour") == ["00 h", "22 h", "unknown", "23 h"]
    assert named(QueryTime, queries, by="weekday", utc_offset=2)[1] == "3 Wednesday"
    assert named(QueryTime, queries, by="hour", utc_offset=-1)[0] == "23 h"
    assert named(QueryTime, queries[2:3]) == ["unknown"]


def described():
    """Four items with a genre each (the last without), weights as prices; two users with an age."""
    items, users = csr_matrix((40, 3), dtype=np.float32).tolil(), csr_matrix((60, 2), dtype=np.float32).tolil()
    for item, genre, price in ((0, 0, 10), (1, 0, 20), (2, 1, 30)):
        items[item, genre] = 1
        items[item, 2] = price
    users[0, 0], users[1, 0], users[1, 1] = 17, 30, 40
    data = DATA.with_entities("items", features=Features.of_labels(("drama", "comedy", "price"), items.tocsr()))
    return data.with_entities("users", features=Features.of_labels(("age", "visits"), users.tocsr()))


def test_the_most_frequent_attribute_of_the_history_counts_and_of_equal_ones_the_first():
    queries = [
        Query(items=["item 00", "item 02", "item 02"]),
        Query(items=["item 02", "item 00"]),
        Query(items=["item 01", "item 03"]),
        Query(items=["item 03"]),
        Query(text="words"),
    ]
    segments = named(Attribute, queries, described(), of="items", names=["comedy", "drama"])
    assert segments == ["comedy", "comedy", "drama", "unknown", "unknown"]
    assert named(Attribute, queries, described(), of="items", names=["drama", "comedy"])[1] == "drama"


def test_numbers_are_cut_at_bounds_and_means_of_the_items_that_have_one():
    queries = [
        Query(items=["item 00", "item 01"]),
        Query(items=["item 01", "item 03"]),
        Query(items=["item 02", "item 02"]),
        Query(items=["item 03"]),
    ]
    segments = named(Attribute, queries, described(), of="items", names=["price"], bounds=[15, 20])
    assert segments == ["from 15 to 20", "from 20", "from 20", "unknown"]
    assert named(Attribute, queries[:1], described(), of="items", names=["price"], bounds=[16]) == ["below 16"]


def test_the_attribute_of_a_user_is_what_the_query_knows_of_it():
    queries = [Query(user="user 00"), Query(user="user 01"), Query(user="user 02"), Query(user="nobody")]
    assert named(Attribute, queries, described()) == ["age", "visits", "unknown", "unknown"]
    segments = named(Attribute, queries, described(), names=["age"], bounds=[18, 30])
    assert segments == ["below 18", "from 30", "unknown", "unknown"]
    assert named(Attribute, [Query(tags=["tag 03"]), Query()], among="tags") == ["tag 03", "unknown"]


def test_queries_of_unknown_users_without_features_are_unknown():
    queries = replace(toy_queries(DATA), user_features=None)
    assert set(segments_of(Attribute(), queries, DATA).tolist()) == {"unknown"}


def test_names_that_the_data_does_not_have_are_told():
    with pytest.raises(DataError, match="segmenter 'attribute': the data has no 'prize'; it has, for example, price"):
        named(Attribute, [Query()], of="items", names=["prize"])
    with pytest.raises(DataError, match="the users of the data have no features"):
        named(Attribute, [Query()], DATA.with_entities("users", features=None))


@pytest.mark.parametrize(
    ("segmenter", "options", "message"),
    [
        (Activity, {"bounds": [5, 5]}, "do not ascend"),
        (Activity, {"bounds": [0]}, "greater than or equal to 1"),
        (Activity, {"bounds": []}, "at least 1 item"),
        (Attribute, {"bounds": [1]}, "`bounds` are those of one feature"),
        (Attribute, {"names": ["a"], "bounds": [2, 1]}, "do not ascend"),
        (QueryTime, {"by": "minute"}, "'year', 'month', 'weekday' or 'hour'"),
    ],
)
def test_options_that_make_no_sense_are_refused(segmenter, options, message):
    with pytest.raises(ValidationError, match=message):
        segmenter.Config(**options)
