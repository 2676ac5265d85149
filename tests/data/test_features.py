"""Typed columns: unknown is not 0, and models read categories and flags."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DataError
from hybridrec.data.features import LABELS, FeatureColumn, Features

NAN = float("nan")
GENRES = FeatureColumn("category", csr_matrix(np.array([[1, 0], [1, 1], [0, 0]], np.float32)), ("jazz", "rock"))
FEATURES = Features(
    {
        "price": FeatureColumn("number", np.array([0, 5, NAN], np.float32)),
        "live": FeatureColumn("flag", np.array([0, 1, NAN], np.float32)),
        "genre": GENRES,
        "since": FeatureColumn("time", np.array([1e9, NAN, 2e9])),
    }
)


def values(column):
    return column.values.toarray().tolist() if column.type == "category" else repr(column.values.tolist())


def test_models_read_categories_and_true_flags_by_name():
    assert FEATURES.names == ("genre:jazz", "genre:rock", "live")
    assert FEATURES.matrix.toarray().tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_labels_keep_their_full_names_and_weights():
    matrix = csr_matrix(np.array([[2.5, 0], [0, 1]], np.float32))
    labels = Features.of_labels(("genre:jazz", "price"), matrix)
    assert labels.names == ("genre:jazz", "price")
    assert labels.matrix.toarray().tolist() == [[2.5, 0], [0, 1]]
    assert list(labels.columns) == [LABELS]


def test_a_row_of_minus_one_is_unknown():
    rows = FEATURES.take(np.array([1, -1, 0], np.int32))
    assert len(rows) == 3
    assert values(rows.column("price")) == "[5.0, nan, 0.0]"
    assert values(rows.column("genre")) == [[1, 1], [0, 0], [1, 0]]
    assert rows.column("price").values.dtype == np.float32
    assert rows.column("since").values.dtype == np.float64


def test_rows_stack_in_their_order():
    parts = [FEATURES.take(np.array([row])) for row in (2, 0)]
    stacked = Features.stack(parts)
    assert values(stacked.column("since")) == "[2000000000.0, 1000000000.0]"
    assert stacked.matrix.toarray().tolist() == [[0, 0, 0], [1, 0, 0]]


def test_the_code_of_a_category_is_the_first_of_several():
    assert GENRES.single().tolist() == [0, 0, -1]
    with pytest.raises(ValueError, match="has no categories"):
        FEATURES.column("price").single()


def test_values_of_a_person_become_columns():
    given = [{"price": 3, "live": True, "genre": "rock"}, {"genre": ["jazz", "rock", "polka"]}, {}]
    encoded = FEATURES.encode(given, "context")
    assert values(encoded.column("price")) == "[3.0, nan, nan]"
    assert values(encoded.column("live")) == "[1.0, nan, nan]"
    assert values(encoded.column("genre")) == [[0, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prize": 1}, "context: unknown name 'prize'; did you mean 'price'"),
        ({"price": "cheap"}, "context.price: 'cheap' is not a number"),
        ({"price": True}, "context.price: True is not a number"),
        ({"live": 1}, "context.live: 1 is not true or false"),
        ({"genre": 4}, "context.genre: 4 is not a text"),
        ({"": "jazz"}, "context: unknown name ''"),
    ],
)
def test_values_that_do_not_suit_a_column_are_refused(given, message):
    with pytest.raises(DataError, match=message):
        FEATURES.encode([given], "context")


def test_known_values_take_the_place_of_others():
    told = FEATURES.encode([{"price": 9.0}, {"genre": "rock"}, {}], "user_features")
    updated = FEATURES.updated(told)
    assert values(updated.column("price")) == "[9.0, 5.0, nan]"
    assert values(updated.column("genre")) == [[1, 0], [0, 1], [0, 0]]
    assert values(updated.column("live")) == values(FEATURES.column("live"))


LABELLED = Features(
    {
        LABELS: FeatureColumn(
            "category",
            csr_matrix(np.array([[1, 0, 2, 1], [0, 1, 0, 0]], np.float32)),
            ("home:KR", "home:US", "taste:rock", "vip"),
        ),
        "age": FeatureColumn("number", np.array([41, NAN], np.float32)),
    }
)


def test_labels_are_stated_as_a_category_of_the_name_before_the_colon():
    assert LABELLED.types == {"home": "category", "taste": "category", "age": "number"}
    told = LABELLED.encode([{"home": "US"}, {"taste": ["rock", "polka"], "age": 3.0}, {"home": None}], "user_features")
    assert values(told.column(LABELS)) == [[0, 1, 0, 0], [0, 0, 1, 0], [0] * 4]
    for given, message in (
        ({"vip": "yes"}, "unknown name 'vip'"),
        ({"tast": "rock"}, "unknown name 'tast'; did you mean 'taste'"),
        ({"home": 4}, "user_features.home: 4 is not a text"),
    ):
        with pytest.raises(DataError, match=message):
            LABELLED.encode([given], "user_features")


def test_a_label_takes_the_place_of_those_of_its_name_alone():
    told = LABELLED.encode([{"home": "US"}, {"taste": "rock"}], "user_features")
    assert values(LABELLED.updated(told).column(LABELS)) == [[0, 1, 2, 1], [0, 1, 1, 0]]


def test_an_unknown_column_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="unknown feature 'prices': did you mean 'price'"):
        FEATURES.column("prices")


def test_the_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        FEATURES.column("price").values[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        FEATURES.columns["new"] = GENRES
