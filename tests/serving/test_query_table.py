"""Tables of queries give the batch that the queries give, and what cannot be used is told with row and column."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DataError, FeatureColumn, Features, Query
from hybridrec.data.encoding import encode
from hybridrec.data.fingerprint import fingerprint
from hybridrec.serving.query_table import encode_table
from hybridrec.testing import toy_dataset

DATA = toy_dataset()
TYPED = DATA.with_entities(
    "users",
    features=Features(
        {
            "age": FeatureColumn("number", np.full(60, 7, np.float32)),
            "member": FeatureColumn("flag", np.ones(60, np.float32)),
            "since": FeatureColumn("time", np.full(60, 1e9)),
            "city": FeatureColumn("category", csr_matrix(np.eye(60, 2, dtype=np.float32)), ("Bonn", "Ulm")),
        }
    ),
)
QUERIES = [
    Query(user="user 04", id="1", context={"device": "phone"}),
    Query(items=["item 05", "item 01", "item 05"], item_times=[3, 2, 1], item_weights=[1, 2, 0.5], id="2"),
    Query(text=" even evening ", tags=["tag 03", "tag 03", "tag 00"], time=1.6e9, id="3"),
    Query(user="nobody", items=["item 07"], disliked=["item 09", "item 11"], id="4", context={"budget": 3.0}),
    Query(id="5"),
]
TABLE = pl.DataFrame(
    {
        "query": [1, 2, 3, 4, 5],
        "user": ["user 04", None, None, "nobody", None],
        "items": [None, ["item 05", "item 01", "item 05"], None, ["item 07"], []],
        "item_times": [None, [3.0, 2.0, 1.0], None, None, None],
        "item_weights": [None, [1.0, 2.0, 0.5], None, None, None],
        "tags": [[], None, ["tag 03", "tag 03", "tag 00"], None, None],
        "text": [None, None, " even evening ", None, ""],
        "time": [None, None, 1.6e9, None, None],
        "disliked": [None, None, None, ["item 09", "item 11"], None],
        "context.device": ["phone", None, None, None, None],
        "context.budget": [None, None, None, 3.0, None],
    }
)


def encoded(table, data=DATA, *, refuse_unknown=True):
    return encode_table(table, data, lambda row: f"queries.csv:{row + 2}", refuse_unknown=refuse_unknown)


def same(batch, other):
    """Fail unless two batches hold the same arrays."""
    for name in ("users", "history", "entities", "text", "times", "disliked", "user_features", "context", "derived"):
        assert fingerprint(getattr(batch, name)) == fingerprint(getattr(other, name)), name


def test_a_table_is_encoded_as_its_queries_are():
    table = encoded(TABLE)
    same(table.batch, encode(QUERIES, DATA))
    assert table.batch.ids == ("1", "2", "3", "4", "5")
    assert table.bare.tolist() == [True, False, False, False, True]
    assert table.n is None


def test_columns_in_any_order_and_types_are_the_same_table():
    structs = TABLE.select(pl.all().exclude("^context.*$"), pl.struct(
        pl.col("context.budget").alias("budget"), pl.col("context.device").alias("device")
    ).alias("context"))  # fmt: skip
    other = structs.with_columns(
        pl.from_epoch("time", time_unit="s"),
        pl.col("user").cast(pl.Categorical),
        pl.col("query").cast(pl.Float64),
        pl.struct(pl.col("tags")).alias("entities"),
    )
    shuffled = other.drop("tags").select(sorted(set(other.columns) - {"tags"}, reverse=True))
    same(encoded(shuffled).batch, encode(QUERIES, DATA))
    assert encoded(shuffled).batch.ids == ("1", "2", "3", "4", "5")


def test_user_features_of_every_type_take_the_place_of_those_of_the_data():
    said = {"age": 30.0, "member": False, "since": 5.0, "city": "Ulm"}
    queries = [
        Query(user="user 00", user_features=said),
        Query(user="user 01"),
        Query(user_features={"city": ["Bonn"]}),
    ]
    texts = {"age": "30", "member": "False", "since": "1970-01-01T00:00:05", "city": "Ulm"}
    since = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    for row in (said, texts, said | {"since": since}):
        table = pl.DataFrame(
            {"query": ["a", "b", "c"], "user": ["user 00", "user 01", None]}
            | {f"user_features.{name}": [value, None, None] for name, value in row.items()}
        )
        table = table.with_columns(pl.Series("user_features.city", [[row["city"]], None, ["Bonn"]]))
        same(encoded(table, TYPED).batch, encode(queries, TYPED))
    labels = replace(DATA.users, features=Features.of_labels(["genre:folk", "genre:jazz"], csr_matrix((60, 2))))
    data = replace(DATA, entities=DATA.entities | {"users": labels})
    table = pl.DataFrame({"user": ["user 00", "user 01"], "user_features.genre": ["jazz", None]})
    wanted = [Query(user="user 00", user_features={"genre": "jazz"}), Query(user="user 01")]
    same(encoded(table, data).batch, encode(wanted, data))


def test_the_user_names_a_query_that_has_no_name_and_n_is_read():
    table = encoded(pl.DataFrame({"user": ["user 01", "user 02"], "n": [None, 3]}))
    assert (table.batch.ids, table.n.tolist()) == (("user 01", "user 02"), [0, 3])


def test_unknown_ids_are_refused_with_their_place_or_skipped():
    table = pl.DataFrame({"query": ["a", "b"], "items": [["item 01"], ["item 02", "item 99"]]})
    with pytest.raises(DataError, match=r"queries.csv:3: column 'items': none of 40 items has the id 'item 99'"):
        encoded(table)
    skipped = encoded(table, refuse_unknown=False)
    assert skipped.batch.history.lengths.tolist() == [1, 1]
    gone = encoded(table.with_columns(items=pl.Series([["item 01"], ["item 99"]])), refuse_unknown=False)
    assert gone.bare.tolist() == [False, False], "a query that states unknown items does not get its user's"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tagz": [["tag 01"]]}, "queries: unknown column 'tagz'; did you mean 'tags'"),
        ({"context.devise": ["tv"]}, "unknown column 'context.devise'; did you mean 'context.device'"),
        ({"tags": [["tag 01"]], "entities": [{"tags": ["tag 01"]}]}, "the column 'tags' is there twice"),
        ({"items": ["item 01"]}, "column 'items' holds String; right is a list for each query"),
        ({"items": [["item 01", None]]}, "queries.csv:2: column 'items': an id in the list is missing"),
        ({"items": [[1.5]]}, "queries.csv:2: column 'items': 1.5 is not an id"),
        ({"user": [True]}, "column 'user' holds Boolean; ids are text or whole numbers"),
        ({"time": ["yesterday"]}, "queries.csv:2: column 'time': 'yesterday' is not a time"),
        ({"time": [True]}, "queries: column 'time' holds Boolean; right are times"),
        ({"items": [["item 01"]], "item_times": [[{"x": 1}]]}, "column 'item_times' holds Struct"),
        ({"context.budget": [-1e39]}, "queries.csv:2: column 'context.budget': -1e+39 is not a number of 32 bits"),
        ({"n": [0]}, "queries.csv:2: column 'n': 0 is not a number of places"),
        ({"n": [1.5]}, "queries.csv:2: column 'n': 1.5 is not a number of places"),
        ({"text": [5]}, "column 'text' holds Int64; right is text"),
        ({"context.budget": ["much"]}, "queries.csv:2: column 'context.budget': 'much' is not a number"),
        ({"context.device": [5]}, "column 'context.device' holds Int64; right is text, or lists of texts"),
        (
            {"items": [["item 01"]], "item_weights": [[1.0, 2.0]]},
            "queries.csv:2: column 'item_weights': has 2 values for 1 items; give one for each",
        ),
        ({"query": [None]}, "queries.csv:2: column 'query': is empty; each query needs a name"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place_and_column(columns, message):
    table = {"query": ["a"]} | columns
    with pytest.raises(DataError) as told:
        encoded(pl.DataFrame(table, schema_overrides={"query": pl.String}))
    assert message in str(told.value)


ATTRIBUTES = DATA.with_entities(
    "items",
    features=Features(
        {
            "cost": FeatureColumn("number", np.array([0, 0.1, *range(2, 40)], np.float32)),
            "live": FeatureColumn("flag", np.resize(np.float32([1, 0, np.nan]), 40)),
            "since": FeatureColumn("time", np.full(40, 1e9)),
            "city": FeatureColumn("category", csr_matrix(np.eye(40, 2, dtype=np.float32)), ("Bonn", "Ulm")),
            "": FeatureColumn("category", csr_matrix(np.eye(40, 2, 1, dtype=np.float32)), ("mood:calm", "mood:wild")),
        }
    ),
)


def left(table, target="items", **options):
    """For each query the codes of the target that it does not exclude."""
    places = {"refuse_unknown": True, "target": target, **options}
    exclusion = encode_table(table, ATTRIBUTES, "row {}".format, **places).exclusion
    scores = np.zeros((len(table), ATTRIBUTES.size(target)), np.float32)
    exclusion.take(np.arange(len(table))).mask(scores)
    return [np.flatnonzero(row == 0).tolist() for row in scores]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("cost", [3, 99, None], [[3], [], None]),
        ("cost", [[3.0, 5.0], None, [0.1]], [[3, 5], None, [1]]),
        ("cost", [3.0, float("nan"), 4.0], [[3], None, [4]]),
        ("live", [True, False, None], [[*range(0, 40, 3)], [*range(1, 40, 3)], None]),
        ("live", [["true", "False"], ["false"], None], [[i for i in range(40) if i % 3 < 2], [*range(1, 40, 3)], None]),
        ("since", [["2001-09-09T01:46:40"], ["2001-09-09"], None], [None, [], None]),
        ("city", ["Bonn", "Rome", None], [[0], [], None]),
        ("city", [["Bonn", "Ulm"], ["Ulm", "Rome"], None], [[0, 1], [1], None]),
        ("mood", ["wild", "Ulm", None], [[0], [], None]),
    ],
)
def test_a_query_leaves_what_has_any_of_the_values_that_it_asks_for(column, values, expected):
    expected = [list(range(40)) if codes is None else codes for codes in expected]
    table = pl.DataFrame({"query": ["a", "b", "c"], f"filters.{column}": pl.Series(values, strict=True)})
    assert left(table) == expected
    nested = table.select("query", pl.struct(pl.col(f"filters.{column}").alias(column)).alias("filters"))
    assert left(nested) == expected


def test_queries_block_ids_of_the_target_and_meet_all_their_conditions():
    table = pl.DataFrame(
        {
            "query": ["a", "b", "c"],
            "blocked": [["item 02", "item 02"], None, []],
            "filters.cost": [[1, 2, 3], [1, 2, 3], None],
            "filters.live": [None, True, None],
        }
    )
    assert left(table) == [[3], [3], list(range(40))]
    tags = pl.DataFrame({"query": ["a", "b"], "blocked": [["tag 01"], ["tag 00", "nothing"]]})
    everything = list(range(ATTRIBUTES.size("tags")))
    codes = ATTRIBUTES.vocabulary("tags").encode(["tag 01", "tag 00"]).tolist()
    assert left(tags, "tags", refuse_unknown=False) == [[i for i in everything if i != code] for code in codes]


RULES = [
    [{"column": "cost", "from": 2, "to": 5}, {"column": "cost", "in": [3, 4], "not": True}],
    None,
    [{"column": "mood", "is": "wild"}],
    [],
    [{"column": "live", "in": [False]}, {"column": "city", "is": "Ulm"}],
    [{"column": "cost", "from": 2, "to": 5}, {"column": "cost", "in": [3, 4], "not": True}],
]


def test_a_list_of_rules_stands_in_structs_or_as_json():
    expected = [[2, 5], None, [0], None, [1], [2, 5]]
    expected = [list(range(40)) if codes is None else codes for codes in expected]
    for rules, codes in zip(RULES, expected, strict=True):
        types = {"column": pl.String, "is": pl.String, "from": pl.Int8, "to": pl.Float32, "not": pl.Boolean}
        of_values = pl.Boolean if "live" in str(rules) else pl.Int32
        dtype = pl.List(pl.Struct(types | {"in": pl.List(of_values)}))
        structs = pl.Series([rules, [{"column": "cost", "to": 0}]], dtype=dtype)
        table = pl.DataFrame({"query": ["a", "b"], "filters": structs})
        assert left(table) == [codes, [0]]
    texts = [None if rules is None else json.dumps(rules) for rules in RULES]
    table = pl.DataFrame({"query": list("abcdef"), "filters": texts})
    assert left(table) == expected
    both = table.with_columns(pl.Series("filters.cost", [[2, 1]] * 6))
    assert left(both) == [[code for code in codes if code == 2] for codes in expected]


def test_pinned_ids_are_in_order_without_repeats_and_blocked_ones():
    table = pl.DataFrame(
        {
            "query": ["a", "b", "c"],
            "pinned": [["item 09", "item 02", "item 09", "item 05"], None, ["item 02"]],
            "blocked": [["item 02", "item 01"], ["item 09"], None],
        }
    )
    pinned = encoded(table).pinned
    assert [pinned.take(np.array([row])).ids.tolist() for row in range(3)] == [[9, 5], [], [2]]
    everything = range(40)
    assert left(table) == [[i for i in everything if i not in out] for out in ([1, 2, 5, 9], [9], [2])]
    unknown = table.with_columns(pl.Series("pinned", [["item 77"], None, ["item 02"]]))
    with pytest.raises(DataError, match=r"queries.csv:2: column 'pinned': none of 40 items has the id 'item 77'"):
        encoded(unknown)
    assert encoded(unknown, refuse_unknown=False).pinned.lengths.tolist() == [0, 0, 1]
    assert encoded(table.drop("pinned")).pinned is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("pipeline", "hybrid", "one pipeline answers all queries: name it with --pipeline (`pipeline=`)"),
        ("target", "items", "all queries ask for the same kind: name it with --target (`target=`)"),
        ("explain", True, "all slates are explained, or none: give --explain (`explain=True`)"),
        ("cursor", "W10", "there are no pages here: ask for more places by the column `n`, or by -n (`n=`)"),
        ("id", "a", "the name of a query is the column `query`"),
        ("queries", "a", "each query is a row of its own"),
    ],
)
def test_what_only_requests_over_http_state_is_told_with_what_to_do(name, value, told):
    with pytest.raises(DataError) as error:
        encoded(pl.DataFrame({"query": ["a"], name: [value]}))
    assert str(error.value) == f"queries: the column '{name}' is of requests over HTTP alone; {told}"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"filters": ["[]", "[{"]}, "row 1: filters: is not JSON"),
        ({"filters": [None, '[{"column": "cost"}]']}, "row 1: filters[0]: give exactly one of"),
        ({"filters": ["[]", '[{"column": "coast", "to": 1}]']}, "row 1: filters[0].column: unknown attribute 'coast'"),
        ({"filters": ["[]", '[{"column": "cost", "is": "1"}]']}, "row 1: filters[0].is: 'cost': '1' is not a number"),
        ({"filters": [1, 2]}, "row 0: filters: Input should be a valid list"),
        ({"filters": [[{"column": "cost", "to": 1}, None]] * 2}, "row 0: filters[1]: Input should be a valid dict"),
        ({"filters": [[{"column": "cost", "to": "1"}]] * 2}, "row 0: filters[0].to: Input should be a valid number"),
        ({"blocked": [["item 01"], ["item 77"]]}, "row 1: column 'blocked': none of 40 items has the id 'item 77'"),
        ({"filters.coast": [1, 2]}, "unknown column 'filters.coast'; did you mean 'filters.cost'"),
        ({"filters.cost": [[1], []]}, "row 1: column 'filters.cost': names no value; leave it null (an empty field)"),
        ({"filters.city": [["Bonn"], [None]]}, "row 1: column 'filters.city': names no value"),
        ({"filters.cost": [["1"], ["2", "x"]]}, "row 1: column 'filters.cost': 'x' is not a number"),
        ({"filters.live": [["true"], ["true", "x"]]}, "row 1: column 'filters.live': 'x' is neither true nor false"),
        ({"filters.since": [["2001"], ["x"]]}, "row 1: column 'filters.since': 'x' is not a time"),
        ({"filters.city": [1, 2]}, "column 'filters.city' holds Int64; right is text, or lists of texts"),
    ],
)
def test_conditions_that_cannot_be_met_by_anything_are_told(columns, message):
    with pytest.raises(DataError) as told:
        left(pl.DataFrame({"query": ["a", "b"]} | columns))
    assert message in str(told.value)


def test_a_table_without_names_is_refused():
    with pytest.raises(DataError, match="give each query a name: a column `query`, or `user`"):
        encoded(pl.DataFrame({"items": [["item 01"]]}))


def test_no_queries():
    assert len(encoded(TABLE.head(0)).batch) == 0


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"items": [[1.0], [float("nan")]]}, "queries.csv:3: column 'items': an id in the list is missing"),
        ({"user": [1.0, 1e308]}, r"queries.csv:3: column 'user': 1e\+308 is not an id"),
        ({"items": [["item 01"]] * 2, "item_weights": [[1.0], [1e39]]}, "queries.csv:3: .* not a number of 32 bits"),
        ({"items": [["item 01"]] * 2, "n": [5, 10**9]}, "queries.csv:3: column 'n': 1000000000 is more than 100,000"),
    ],
)
def test_numbers_that_no_array_holds_are_refused(columns, told):
    with pytest.raises(DataError, match=told):
        encoded(pl.DataFrame({"query": ["a", "b"], **columns}))
