"""Array types, targets and fields: aliases agree with the values and arrays that bear their names."""

import itertools
import re
from datetime import timedelta
from typing import get_args

import numpy as np

from hybridrec import DAY, EVERY_KIND, ITEMS, PADDING, USERS, Query
from hybridrec.data.encoding import encode
from hybridrec.testing import toy_dataset
from hybridrec.types import KIND_NAME, Bools, Doubles, Floats, Ints, Longs


def test_constants_of_kinds_and_times_agree_with_the_data():
    data = toy_dataset()
    assert list(data.entities)[:2] == [USERS, ITEMS]
    assert data.targets[0] == ITEMS
    assert not re.match(KIND_NAME, EVERY_KIND)
    assert all(re.match(KIND_NAME, kind) for kind in data.entities)
    assert timedelta(days=1).total_seconds() == DAY


def test_names_of_segments_follow_the_order_of_the_fields():
    """Reports of different versions can only be compared if a segment keeps its name."""
    by_field = {"user": "user 01", "items": ["item 02"], "tags": ["tag 03"], "title": "odd"}
    queries, names = [], []
    for size in range(1, len(by_field) + 1):
        for fields in itertools.combinations(by_field, size):
            queries.append(Query(**{"text" if field == "title" else field: by_field[field] for field in fields}))
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
