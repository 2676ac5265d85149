"""Array types, targets and fields: aliases agree with the values and arrays that bear their names."""

import itertools
from datetime import timedelta
from typing import get_args

import numpy as np

from hybridrec import DAY, FIELDS, PADDING, TARGETS, Query
from hybridrec.data.encoding import encode
from hybridrec.testing import toy_dataset
from hybridrec.types import Bools, Doubles, Field, Floats, Ints, Longs, Target


def test_the_tuples_hold_what_the_types_allow():
    assert get_args(Target) == TARGETS
    assert get_args(Field) == FIELDS
    assert timedelta(days=1).total_seconds() == DAY


def test_names_of_segments_follow_the_order_of_the_fields():
    """Reports of different versions can only be compared if a segment keeps its name."""
    known = {"user": "user 01", "items": ["item 02"], "tags": ["tag 03"], "title": "odd"}
    queries, names = [], []
    for size in range(1, len(FIELDS) + 1):
        for fields in itertools.combinations(FIELDS, size):
            queries.append(Query(**{"text" if field == "title" else field: known[field] for field in fields}))
            names.append("+".join(fields))
    segments = encode(queries, toy_dataset()).segments().tolist()
    assert segments == names


def test_arrays_of_the_engine_have_the_types_of_their_names():
    data = toy_dataset()
    dtypes = {alias: get_args(get_args(alias)[1])[0] for alias in (Bools, Floats, Doubles, Ints, Longs)}
    assert [*dtypes.values()] == [np.bool_, np.float32, np.float64, np.int32, np.int64]
    assert data.interactions.ids.dtype == dtypes[Ints]
    assert data.interactions.offsets.dtype == dtypes[Longs]
    assert encode([Query(items=["nobody"])], data).users[0] == PADDING
