"""Queries of files and of all users are read part by part, with the line of each for messages."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError
from hybridrec.serving.query_source import AllUsers, QueryFile
from hybridrec.serving.query_table import encode_table
from hybridrec.testing import toy_dataset

DATA = toy_dataset()
ROWS = [
    {"query": "a", "items": ["item 01", "item 02"], "text": "x, y"},
    {"query": "b", "items": ["item 03"], "text": None},
    {"query": "c", "items": None, "text": "even"},
]


@pytest.fixture
def write(tmp_path):
    """Writes the three queries in a format."""

    def written(kind):
        path = tmp_path / f"queries.{kind}"
        if kind == "parquet":
            pl.DataFrame(ROWS).write_parquet(path)
        elif kind == "jsonl":
            path.write_text("\n".join([json.dumps(ROWS[0]), "", *map(json.dumps, ROWS[1:])]))
        else:
            path.write_text('query,items,text\na,item 01|item 02,"x, y"\nb,item 03,\n\nc,,even\n')
        return path

    return written


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("parquet", ["row 1", "row 2", "row 3"]),
        ("jsonl", ["line 1", "line 3", "line 4"]),
        ("csv", ["line 2", "line 3", "line 5"]),
    ],
)
def test_every_format_gives_the_same_queries_part_by_part(write, kind, places):
    path = write(kind)
    source = QueryFile(path, DATA)
    assert source.count() == 3
    parts = list(source.parts(2, 0))
    assert [len(rows) for rows, _ in parts] == [2, 1]
    assert pl.concat(rows for rows, _ in parts).rows(named=True) == ROWS
    told = [place(row) for rows, place in parts for row in range(len(rows))]
    assert told == [f"{path}, {place}" for place in places]
    ((rows, place),) = source.parts(2, 1)
    assert (rows["query"].to_list(), place(0)) == (["c"], f"{path}, {places[2]}")


def test_a_file_is_known_by_its_content(write, tmp_path):
    path = write("csv")
    before = QueryFile(path, DATA).fingerprint
    assert QueryFile(path.rename(tmp_path / "other.csv"), DATA).fingerprint == before
    assert QueryFile(tmp_path / "other.csv", DATA, ";").fingerprint != before
    (tmp_path / "other.csv").write_text("query\na\n")
    assert QueryFile(tmp_path / "other.csv", DATA).fingerprint != before


def test_all_users_in_the_order_of_their_ids():
    source = AllUsers(DATA)
    assert source.count() == 60
    assert [len(rows) for rows, _ in source.parts(25, 0)] == [25, 25, 10]
    ((rows, place),) = source.parts(25, 2)
    assert (rows["user"][0], place(0)) == ("user 50", "user 51")
    assert source.of(toy_dataset(users=9)).count() == 9


def test_a_file_has_the_columns_of_the_bundle_for_which_it_is_read(tmp_path):
    path = tmp_path / "queries.csv"
    path.write_text("query,tags\na,tag 01+tag 02\n")
    bare = replace(
        DATA,
        entities={kind: DATA.entities[kind] for kind in ("users", "items")},
        user_has={},
        item_has={},
        assignments={},
    )
    ((rows, _),) = QueryFile(path, bare, "+").of(DATA).parts(5, 0)
    assert rows["tags"].to_list() == [["tag 01", "tag 02"]]


def test_every_format_has_conditions_and_blocked_ids(tmp_path):
    csv, jsonl, parquet = (tmp_path / f"q.{kind}" for kind in ("csv", "jsonl", "parquet"))
    csv.write_text("query,blocked,filters.cost\na,item 01|item 02,1|2\nb,,\n")
    first = {"query": "a", "blocked": ["item 01", "item 02"], "filters": {"cost": [1, 2]}}
    jsonl.write_text(f"{json.dumps(first)}\n{json.dumps({'query': 'b', 'filters': None})}\n")
    blocked, cost = pl.Series([first["blocked"], None]), pl.Series([[1.0, 2.0], None])
    pl.DataFrame({"query": ["a", "b"], "blocked": blocked, "filters.cost": cost}).write_parquet(parquet)
    for path in (csv, jsonl, parquet):
        ((rows, places),) = QueryFile(path, DATA).of(DATA).parts(5, 0)
        exclusion = encode_table(rows, DATA, places, refuse_unknown=True).exclusion
        excluded = exclusion.take(np.arange(2)).holds(np.tile(np.arange(40, dtype=np.int32), (2, 1)))
        costs = DATA.items.features.columns["cost"].values
        assert excluded[0].tolist() == [code in (1, 2) or cost not in (1, 2) for code, cost in enumerate(costs)]
        assert not excluded[1].any()
    with pytest.raises(DataError, match=r"unknown column 'filters.cost'"):
        QueryFile(jsonl, DATA, target="tags").of(DATA).count()


def test_ids_that_are_numbers_and_texts_are_texts(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": 1, "items": [1, "b"]}\n{"query": "x", "items": null}\n')
    ((rows, _),) = QueryFile(path, DATA).parts(5, 0)
    assert rows.rows() == [("1", ["1", "b"]), ("x", None)]
    path.write_text('{"query": 1}\n{"query": "x"}\n{"query": [2]}\n')
    with pytest.raises(DataError, match=r"line 1: column 'query': 1 is not a list, as others are"):
        list(QueryFile(path, DATA).parts(5, 0))
    path.write_text('{"query": 1}\n{"query": {"a": 2}}\n')
    with pytest.raises(DataError, match=r"line 2: column 'query': \{'a': 2\} is neither text nor a number"):
        list(QueryFile(path, DATA).parts(5, 0))


@pytest.fixture
def read(tmp_path):
    """Reads rows that are written as JSON Lines, in one part or in parts of a size."""

    def parts(rows, size=100):
        path = tmp_path / "queries.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return list(QueryFile(path, DATA).parts(size, 0))

    return parts


def encoded(parts):
    """Returns the encoded queries of each part."""
    return [encode_table(rows, DATA, places, refuse_unknown=True).batch for rows, places in parts]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("item_weights", [1, 2], [2.5, 0.5]),
        ("item_weights", [1, 0.5], None),
        ("item_times", [1_700_000_000, 1], [1_700_000_000.75, 2]),
        ("time", 1_700_000_000, 1_700_000_000.5),
    ],
)
def test_fractions_survive_in_any_order_of_the_rows(read, name, first, second):
    items = ["item 03", "item 05"]
    rows = [{"query": "a", "items": items, name: first}, {"query": "b", "items": items, name: second}]
    for order in (rows, rows[::-1]):
        for size in (1, 2):
            tables = [table for table, _ in read(order, size)]
            assert [value for table in tables for value in table[name].to_list()] == [row[name] for row in order]


def test_keys_that_only_later_rows_have_are_read(read):
    rows = [
        {"query": "a", "context": {"device": "phone"}, "entities": None},
        {"query": "b", "context": {"device": "phone", "budget": 3.5}},
        {"query": "c", "context": {"budget": 2}},
    ]
    for order, budgets in ((rows, [-1, 3.5, 2]), (rows[::-1], [2, 3.5, -1])):
        (batch,) = encoded(read(order))
        values = batch.context.columns["budget"].values
        assert [-1 if value != value else value for value in values.tolist()] == budgets
        assert batch.context.columns["device"].values.sum() == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"context": {"devise": "tv"}}, "unknown column 'context.devise'"),
        ({"context": {"devise": None}}, "unknown column 'context.devise'"),
        ({"entities": {"itemz": ["a"]}}, "unknown column 'itemz'"),
        ({"itemz": []}, "unknown column 'itemz'"),
        ({"context": "tv"}, "column 'context': 'tv' is not an object"),
        ({"context": {"device": "tv"}, "context.device": "tv"}, "the column 'context.device' is there twice"),
        ({"items": [2.5]}, "column 'items': 2.5 is not an id"),
        ({"items": [True]}, "column 'items': True does not fit the other values"),
        ({"query": 2.5}, "column 'query': 2.5 is not an id"),
    ],
)
def test_a_wrong_key_or_id_is_refused_wherever_it_stands(read, row, message):
    right = {"query": 1, "items": [1], "context": {"device": "phone"}}
    for order, line in (([right, {"query": 2, **row}], 2), ([{"query": 2, **row}, right], 1)):
        with pytest.raises(DataError) as told:
            encoded(read(order))
        assert f"line {line}: {message}" in str(told.value)


def stated(parts):
    """For each query the ids that it excludes, and the columns of its request that are known."""
    result = {}
    for table, places in parts:
        queries = encode_table(table, DATA, places, refuse_unknown=True)
        every_id = np.tile(np.arange(40, dtype=np.int32), (len(table), 1))
        excluded = queries.exclusion.take(np.arange(len(table))).holds(every_id)
        columns = {} if queries.batch.context is None else queries.batch.context.columns
        for row, name in enumerate(queries.names):
            budget = [] if not columns else columns["budget"].values[[row]].tolist()
            devices = [] if not columns else columns["device"].values[[row]].indices.tolist()
            result[name] = excluded[row].nonzero()[0].tolist(), [each for each in budget if each == each], devices
    return result


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("filters.cost", [1, [2, 3], 2.5, "4", None, [2.5, 1]]),
        ("context.device", ["tv", ["phone", "tv"], None]),
        ("context.budget", [3, 2.5, "4", None]),
    ],
)
def test_what_a_value_means_does_not_depend_on_the_rows_beside_it(read, column, values):
    rows = [{"query": str(number), column: value} for number, value in enumerate(values)]
    alone = stated(read(rows, 1))
    assert len({str(each) for each in alone.values()}) >= len(values) - 1
    for order in (rows, rows[::-1]):
        for size in (2, len(rows)):
            assert stated(read(order, size)) == alone


@pytest.mark.parametrize(
    ("column", "right", "wrong", "told"),
    [
        ("context.device", "tv", 5, "5 is not a text, as categories are"),
        ("context.device", ["tv"], ["tv", True], "True is not a text, as categories are"),
        ("context.budget", 3, [3], "[3] is neither text nor a number"),
        ("context.budget", 3, True, "'true' is not a number"),
        ("filters.cost", 3, {"to": 3}, "{'to': 3} is neither text nor a number"),
        ("filters.cost", [3], [True], "'true' is not a number"),
        ("filters.cost", 3, [], "names no value"),
    ],
)
def test_what_is_refused_does_not_depend_on_the_rows_beside_it(read, column, right, wrong, told):
    rows = [{"query": "a", column: right}, {"query": "b", column: wrong}]
    for order, line in ((rows, 2), (rows[::-1], 1)):
        for size in (1, 2):
            with pytest.raises(DataError) as error:
                encoded(read(order, size))
            assert f"line {line}: column '{column}': {told}" in str(error.value)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"filters": [{"column": "coast", "to": 1}]},
            "filters[0].column: unknown attribute 'coast': did you mean 'cost'",
        ),
        ({"filters": [{"column": "cost", "too": 1}]}, "filters[0].too: unknown key: did you mean 'to'"),
        ({"filters": 3}, "column 'filters': 3 is not an object; right is {"),
        ({"filters": "[]"}, "column 'filters': '[]' is not an object; right is {"),
        ({"pinned": ["item 77"]}, "column 'pinned': none of 40 items has the id 'item 77'"),
        ({"pipeline": "hybrid"}, "the column 'pipeline' is of requests over HTTP alone; one pipeline answers"),
        ({"target": "items"}, "the column 'target' is of requests over HTTP alone; all queries ask for the same"),
        ({"explain": False}, "the column 'explain' is of requests over HTTP alone; all slates are explained"),
        ({"cursor": None}, "the column 'cursor' is of requests over HTTP alone; there are no pages here"),
    ],
)
def test_a_mistake_in_what_requests_over_http_have_is_told_with_its_line(read, row, told):
    right = {"query": "a", "filters": [{"column": "cost", "to": 1}]}
    with pytest.raises(DataError) as error:
        encoded(read([right, {"query": "b", **row}]))
    assert f"queries.jsonl, line 2: {told}" in str(error.value)


def test_rules_stand_beside_values_and_number_of_places_is_of_each_row(read):
    rules = [{"column": "cost", "from": 1, "to": 3}]
    rows = [{"query": "a", "filters": rules, "filters.cost": [3, 4], "n": 3}, {"query": "b", "filters": {"cost": 4}}]
    ((table, places),) = read(rows)
    encoded = encode_table(table, DATA, places, refuse_unknown=True)
    excluded = encoded.exclusion.take(np.arange(2)).holds(np.tile(np.arange(40, dtype=np.int32), (2, 1)))
    costs = DATA.items.features.columns["cost"].values
    assert [(~row).nonzero()[0].tolist() for row in excluded] == [
        np.flatnonzero(costs == cost).tolist() for cost in (3, 4)
    ]
    assert encoded.n.tolist() == [3, 0]


def test_times_are_texts_or_numbers_with_fractions(read):
    rows = [{"query": "a", "time": "1970-01-02"}, {"query": "b", "time": 1_700_000_000.5}]
    (batch,) = encoded(read(rows))
    assert batch.times.tolist() == [86_400, 1_700_000_000.5]


def test_ids_beyond_64_bits_are_texts(read):
    ((rows, _),) = read([{"query": 2**70}, {"query": 1}])
    assert rows["query"].to_list() == [str(2**70), "1"]


@pytest.mark.parametrize("name", ["query", "user", "items", "disliked", "tags"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_float_among_whole_ids_rounds_none_of_them(read, name, size):
    ids, listed = [2**53 + 1, 2**53, 3.0], name not in ("query", "user")
    rows = [{"query": 1, name: [number] if listed else number} for number in ids]
    values = pl.concat(table[name].cast(pl.List(pl.String) if listed else pl.String) for table, _ in read(rows, size))
    assert (values.explode() if listed else values).to_list() == ["9007199254740993", "9007199254740992", "3"]


@pytest.mark.parametrize("other", [7, 7.0, "x"])
def test_an_id_that_is_not_finite(read, other):
    ((table, _),) = read([{"query": 1, "user": float("nan")}, {"query": 2, "user": other}])
    assert table["user"].cast(pl.String).to_list() == [None, str(other).removesuffix(".0")]
    with pytest.raises(DataError, match=r"line 1: column 'user': inf is not an id; ids are text or whole numbers"):
        read([{"query": 1, "user": float("inf")}, {"query": 2, "user": other}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", b'{"query": 1}\n{"query": \n', "q.jsonl, line 2: is not JSON"),
        ("q.jsonl", b'{"query": 1, "n": 2, "n": 3}\n', "q.jsonl, line 1: is not JSON (the key 'n' is there twice)"),
        ("q.csv", b"query,cursor\na,b\n", "q.csv, line 1: the column 'cursor' is of requests over HTTP alone"),
        ("q.csv", b"query,filters.cost.to\na,1\n", "q.csv, line 1: unknown column 'filters.cost.to'"),
        ("q.jsonl", b"[1]\n", "q.jsonl, line 1: is not an object"),
        ("q.jsonl", b'{"query": "\xff"}\n', "q.jsonl: is not in UTF-8"),
        ("q.jsonl", b"\n{}\n{}\n", "q.jsonl, line 2: give each query a name"),
        ("q.csv", b"query,n,n\na,1,2\n", "q.csv, line 1: the column 'n' is there twice"),
        ("q.csv", b"query\n" + b"x" * 200_000, "q.csv: cannot be read as csv (field larger than field limit"),
        ("q.csv", b"query,user\na,b\nc\n", "q.csv, line 3: has 1 fields; the header has 2"),
        ("q.parquet", b"PAR1", "q.parquet cannot be read"),
        ("q.txt", b"", "q.txt: name a file of queries that ends in .parquet, .jsonl or .csv"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as told:
        list(QueryFile(tmp_path / name, DATA).parts(5, 0))
    assert message in str(told.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"none.csv: no such file"):
        QueryFile(tmp_path / "none.csv", DATA)
