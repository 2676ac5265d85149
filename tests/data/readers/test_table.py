"""The reader `table`: what it reads from files of each format, and what it says of broken ones."""

import json

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from hybridrec.data.io import files
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError

PLAYS = {"path": "plays.csv", "user": "uid", "item": "song"}


@pytest.fixture
def read(tmp_path):
    """Write the given files (text, bytes, or a frame as Parquet) and read them by the mapping."""

    def write_and_read(files, **mapping):
        for name, content in files.items():
            if isinstance(content, pl.DataFrame):
                content.write_parquet(tmp_path / name)
            elif isinstance(content, np.ndarray):
                np.save(tmp_path / name, content)
            else:
                raw = content if isinstance(content, bytes) else content.encode()
                (tmp_path / name).write_bytes(raw)
        mapping = {"interactions": PLAYS, **mapping}
        return TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()

    return write_and_read


def plays_of(data, user):
    """The items of a user, in order, by id."""
    row = data.users.encode([user])
    assert row[0] >= 0
    return list(data.items.decode(data.interactions.take(row).ids))


def tags_of(data, matrix, row):
    return {data.tags.ids[int(tag)] for tag in matrix[row].indices}


# What works


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plays.csv", "uid,song,more\n1,b,x\n2,a,x\n1,a,x\n"),
        ("plays.csv", "\ufeffuid,song\r\n1,b\r\n2,a\r\n1,a\r\n"),
        ("plays.csv", 'song,uid\n"b","1"\n"a","2"\na,1\n'),
        ("plays.tsv", "uid\tsong\n1\tb\n2\ta\n1\ta\n"),
        ("plays.jsonl", '{"uid": 1, "song": "b"}\n{"uid": 2, "song": "a"}\n{"uid": 1, "song": "a"}\n'),
        ("plays.ndjson", '{"uid": "1", "song": "b"}\n{"uid": "2", "song": "a"}\n{"uid": "1", "song": "a"}\n'),
        ("plays.parquet", pl.DataFrame({"uid": [1, 2, 1], "song": ["b", "a", "a"]})),
    ],
)
def test_all_formats_say_the_same(read, name, content):
    data = read({name: content}, interactions={**PLAYS, "path": name})
    reference = read({"plays.csv": "uid,song\n1,b\n2,a\n1,a\n"})
    assert data.fingerprint == reference.fingerprint
    assert plays_of(data, "1") == ["b", "a"]


PIECES = pl.DataFrame(
    {"uid": [f"u{row * 7 % 31}" for row in range(600)], "song": [f"s{row % 13}" for row in range(600)]}
)


@pytest.mark.parametrize("rows", [1, 7, 600])
def test_pieces_of_a_file_give_the_codes_of_the_whole(read, tmp_path, rows):
    plays = {**PLAYS, "path": "plays.parquet"}
    PIECES.write_parquet(tmp_path / "plays.parquet", row_group_size=rows)
    data = read({}, interactions=plays)
    assert data.fingerprint == read({"plays.csv": PIECES.write_csv()}).fingerprint
    assert list(data.users.ids) == sorted(set(PIECES["uid"]))


@pytest.mark.parametrize("name", ["plays.parquet", "plays.csv"])
def test_no_column_of_text_is_held_whole(read, monkeypatch, name):
    monkeypatch.setattr(files, "_KEPT_AS_TEXT", 0)
    collect, held = pl.LazyFrame.collect, []

    def watched(frame, **how):
        found = collect(frame, **how)
        held.extend(len(column) for column in found if column.dtype == pl.String and column.is_in(["u0", "s0"]).any())
        return found

    monkeypatch.setattr(pl.LazyFrame, "collect", watched)
    content = PIECES if name.endswith("parquet") else PIECES.write_csv()
    data = read({name: content}, interactions={**PLAYS, "path": name})
    assert len(data.interactions.ids) == len(PIECES)
    assert max(held, default=0) <= 31  # the distinct ids


@pytest.mark.parametrize("content", ["uid,song,at\n1,b,x\n2,a\n1,a,x,y\n", 'uid,song\n1,"b\n2,a\n'])
def test_a_large_file_is_refused_as_a_small_one_is(read, monkeypatch, content):
    told = []
    for limit in (1 << 26, 0):
        monkeypatch.setattr(files, "_KEPT_AS_TEXT", limit)
        with pytest.raises(DataError) as refused:
            read({"plays.csv": content})
        told.append(str(refused.value))
    assert told[0] == told[1]


def test_format_separator_and_names_can_be_said(read):
    data = read(
        {"plays.dat": "1;b\n2;a\n"},
        interactions={**PLAYS, "path": "plays.dat", "format": "csv", "separator": ";", "columns": ["uid", "song"]},
    )
    assert plays_of(data, "1") == ["b"]


def test_ids_are_text_of_any_script(read):
    data = read({"plays.csv": "uid,song\n007,아리랑\n7,🎸\n-1,NA\n"})
    assert set(data.users.ids) == {"007", "7", "-1"}
    assert plays_of(data, "007") == ["아리랑"]
    assert plays_of(data, "7") == ["🎸"]
    assert plays_of(data, "-1") == ["NA"]


def test_integers_that_became_floats_are_integers_again(read):
    frame = pl.DataFrame({"uid": [1.0, 2.0], "song": [0.5, 2.0]})
    data = read({"p.parquet": frame}, interactions={**PLAYS, "path": "p.parquet"})
    assert list(data.users.ids) == ["1", "2"]
    assert list(data.items.ids) == ["0.5", "2.0"]


def test_a_file_in_another_encoding(read):
    data = read({"plays.csv": "uid,song\n1,아리랑\n".encode("cp949")}, interactions={**PLAYS, "encoding": "cp949"})
    assert plays_of(data, "1") == ["아리랑"]


def test_quotes_can_mean_nothing(read):
    data = read({"plays.csv": 'uid,song\n1,"Weird Al" Yankovic\n'}, interactions={**PLAYS, "quote": None})
    assert plays_of(data, "1") == ['"Weird Al" Yankovic']


def test_duplicate_pairs_are_repeats(read):
    data = read({"plays.csv": "uid,song\n1,a\n1,b\n1,a\n"})
    assert plays_of(data, "1") == ["a", "b", "a"]
    assert data.interactions.matrix().toarray().tolist() == [[2, 1]]


def test_one_item_and_one_user_in_all(read):
    data = read({"plays.csv": "uid,song\n1,a\n"})
    assert (len(data.users), len(data.items), len(data.interactions.ids)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("time", ["30", "20", "10.5"]),
        ("time", ["2024-03-01", "2024-02-01", "2024-01-31T23:59:59"]),
        ("time", ["2024-01-01T03:00:00Z", "2024-01-01 01:00", "2024-01-01T01:00:00+09:00"]),
        ("position", ["3", "2", "1"]),
    ],
)
def test_order_follows_the_column(read, column, values):
    rows = "".join(f"1,{item},{value}\n" for item, value in zip("cba", values, strict=True))
    data = read({"plays.csv": f"uid,song,when\n{rows}"}, interactions={**PLAYS, column: "when"})
    assert plays_of(data, "1") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("written", "unit"),
    [("1704067200", "s"), ("1704067200000", "ms"), ("2024-01-01", "s"), ("2024-01-01T09:00:00+09:00", "s")],
)
def test_times_are_seconds_since_1970(read, written, unit):
    mapping = {**PLAYS, "time": "t", "time_unit": unit}
    assert read({"plays.csv": f"uid,song,t\n1,a,{written}\n"}, interactions=mapping).interactions.times == 1704067200


def test_typed_times_of_parquet(read):
    times = pl.Series(["2024-01-01T00:00:00"]).str.to_datetime(time_unit="ns")
    zoned = times.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Seoul")
    for column in (times, times.dt.date(), zoned):
        frame = pl.DataFrame({"uid": [1], "song": [1], "t": column})
        data = read({"plays.parquet": frame}, interactions={**PLAYS, "path": "plays.parquet", "time": "t"})
        assert data.interactions.times == 1704067200


def test_weights_and_groups(read):
    data = read(
        {"plays.csv": "uid,song,n,fold\n1,a,3,7\n1,b,0,8\n1,c,1.5,9\n"},
        interactions={**PLAYS, "weight": "n", "group": "fold"},
    )
    assert plays_of(data, "1") == ["a", "c"]  # a weight of 0 is no interaction
    assert data.interactions.weights.tolist() == [3, 1.5]
    assert data.interactions.groups.tolist() == [7, 9]


def test_a_row_can_be_a_whole_playlist(read):
    content = '{"pid": 1, "songs": [30, 10, 30], "title": "mix"}\n{"pid": 2, "songs": []}\n{"pid": 3, "songs": [10]}\n'
    data = read(
        {"lists.jsonl": content},
        interactions={"path": "lists.jsonl", "user": "pid", "item": "songs"},
        users={"path": "lists.jsonl", "id": "pid", "title": "title"},
    )
    assert plays_of(data, "1") == ["30", "10", "30"]
    assert plays_of(data, "2") == []
    assert data.titles == ("mix", "", "")


def test_weight_options_are_applied(read):
    data = read(
        {"plays.csv": "uid,song,n\n1,a,3\n1,b,1\n"},
        interactions={**PLAYS, "weight": "n"},
        weight={"threshold": 2, "transform": "log"},
    )
    np.testing.assert_allclose(data.interactions.weights, [np.log(4)], rtol=1e-6)


def test_columns_joined_from_another_file(read):
    files = {
        "plays.csv": "uid,song,fold\n1,b,0\n1,a,1\n",
        "counts.tsv": "//u\ts\tn\n1\ta\t5\n1\tb\t4\n9\ta\t1\n",
    }
    join = {"path": "counts.tsv", "match": {"uid": "//u", "song": "s"}}
    data = read(files, interactions={**PLAYS, "group": "fold", "weight": "n", "join": join})
    assert plays_of(data, "1") == ["b", "a"]
    assert data.interactions.weights.tolist() == [4, 5]
    assert len(data.users) == 1


def test_users_and_items_files(read):
    data = read(
        {
            "plays.csv": "uid,song\n1,a\n",
            "users.csv": "id,name,mood,country\n1,My list,calm|happy,KR\n2,Silent,,\n",
            "items.jsonl": "\n".join(
                json.dumps(row)
                for row in [
                    {"id": "a", "title": "Sugaree", "artist": "Garcia", "genres": ["rock", "folk"], "year": 1972},
                    {"id": "new", "title": "Neu", "artist": None, "genres": [], "year": None},
                ]
            ),
        },
        users={"path": "users.csv", "id": "id", "title": "name", "tags": ["mood"], "features": ["country"]},
        items={
            "path": "items.jsonl",
            "id": "id",
            "text": ["title", "artist"],
            "tags": {"genres": "genre"},
            "features": ["genres", "year"],
            "time": "year",
        },
    )
    assert list(data.users.ids) == ["1", "2"]
    assert data.interactions.lengths.tolist() == [1, 0]  # a user without interactions
    assert data.titles == ("My list", "Silent")
    assert tags_of(data, data.user_tags, 0) == {"calm", "happy"}
    assert data.user_features.names == ("country:KR",)
    assert data.item_text == ("Sugaree - Garcia", "Neu")
    assert tags_of(data, data.item_tags, 0) == {"genre:rock", "genre:folk"}
    assert set(data.item_features.names) == {"genres:rock", "genres:folk", "year:1972"}
    assert data.item_times[0].astype("datetime64[s]") == np.datetime64("1972-01-01")
    assert np.isnan(data.item_times[1])


def test_files_of_tags(read):
    data = read(
        {
            "plays.csv": "uid,song\n1,a\n2,b\n",
            "ut.csv": "u,t\n1,calm\n9,gone\n",
            "it.csv": "i,t,w\na,rock,2\nb,rock,0\n",
            "ut3.tsv": "u\ti\tcode\n1\ta\t10\n1\tzzz\t10\n",
            "names.tsv": "code\tname\n10\tjazz\n",
        },
        user_tags={"path": "ut.csv", "user": "u", "tag": "t"},
        item_tags={"path": "it.csv", "item": "i", "tag": "t", "weight": "w"},
        assignments={
            "path": "ut3.tsv",
            "user": "u",
            "item": "i",
            "tag": "name",
            "join": {"path": "names.tsv", "match": {"code": "code"}},
        },
    )
    assert list(data.tags.ids) == ["calm", "jazz", "rock"]
    assert data.declared_user_tags.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert data.declared_item_tags.toarray().tolist() == [[0, 0, 2], [0, 0, 0]]
    assert data.declared_item_tags.nnz == 1
    assert data.assignments.tolist() == [[0, 0, 1]]


def test_vectors_from_parquet_and_npy(read):
    files = {
        "plays.csv": "uid,song\n1,a\n1,b\n",
        "items.csv": "id\nb\na\n",
        "v.parquet": pl.DataFrame({"id": ["b", "a", "x"], "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}),
        "v.npy": np.array([[1, 2], [3, 4]]),
    }
    for vectors in ("v.parquet", "v.npy"):
        data = read(files, items={"path": "items.csv", "id": "id"}, item_vectors={"path": vectors})
        assert data.item_vectors.dtype == np.float32
        assert data.item_vectors.tolist() == [[3, 4], [1, 2]]


def test_the_order_of_rows_does_not_show_in_the_codes(read):
    one = read({"plays.csv": "uid,song,p\n1,a,1\n2,b,1\n1,c,2\n"}, interactions={**PLAYS, "position": "p"})
    two = read({"plays.csv": "uid,song,p\n1,c,2\n2,b,1\n1,a,1\n"}, interactions={**PLAYS, "position": "p"})
    assert one.fingerprint == two.fingerprint


def test_the_order_of_assignments_does_not_show(read):
    rows = ["1,a,y", "2,a,x", "1,b,x", "1,a,x"]
    made = {
        read(
            {"plays.csv": "uid,song\n1,a\n1,b\n2,a\n", "t.csv": "u,i,t\n" + "\n".join(order)},
            assignments={"path": "t.csv", "user": "u", "item": "i", "tag": "t"},
        ).fingerprint
        for order in (rows, rows[::-1])
    }
    assert len(made) == 1


# What is wrong, where, and what would be right


def refused(read, content, *says, **mapping):
    with pytest.raises(DataError) as caught:
        read({"plays.csv": content} if isinstance(content, str | bytes) else content, **mapping)
    message = str(caught.value)
    for part in says:
        assert part in message
    assert "\n" not in message


def test_a_missing_file(read):
    refused(read, {}, "plays.csv", "no such file")


@pytest.mark.parametrize("content", ["", "\n\n", "uid,song\n"])
def test_an_empty_file(read, content):
    refused(read, content, "plays.csv")


def test_an_empty_file_is_called_empty(read):
    refused(read, "", "is empty")
    refused(read, "uid,song\n", "has no interactions")


@pytest.mark.parametrize("name", ["plays.jsonl", "plays.parquet"])
def test_other_empty_files(read, name):
    refused(read, {name: b""}, name, "is empty", interactions={**PLAYS, "path": name})


def test_an_unknown_column_and_the_nearest(read):
    refused(read, "uid,sung\n1,a\n", "plays.csv", "no column 'song'", "did you mean 'sung'?", "Available: sung, uid")


def test_an_unknown_column_to_join_by(read):
    join = {"path": "names.csv", "match": {"song": "sung"}}
    files = {"plays.csv": "uid,song\n1,a\n", "names.csv": "song,n\na,1\n"}
    refused(read, files, "names.csv", "no column 'sung'", interactions={**PLAYS, "join": join})


def test_a_joined_key_that_occurs_twice(read):
    join = {"path": "names.csv", "match": {"song": "song"}}
    files = {"plays.csv": "uid,song\n1,a\n", "names.csv": "song,n\nb,1\na,1\na,2\n"}
    refused(read, files, "names.csv, line 4", "song 'a' occurs more than once", interactions={**PLAYS, "join": join})


def test_a_line_with_too_many_fields(read):
    refused(read, "uid,song\n1,a\n2,b,c\n", "plays.csv, line 3", "3 fields", "the first line has 2")


def test_an_open_quote(read):
    refused(read, 'uid,song\n1,a\n2,"b\n', "plays.csv, line 3", "quote", "`quote: null`")


def test_another_encoding(read):
    refused(read, "uid,song\n1,a\n2,ö\n".encode("latin-1"), "plays.csv, line 3", "not utf-8", "`encoding`")


@pytest.mark.parametrize("line", ['{"uid": 2, "song": ', "[1, 2]", "what?"])
def test_broken_json(read, line):
    content = '{"uid": 1, "song": "a"}\n' + line + "\n"
    refused(read, {"plays.jsonl": content}, "plays.jsonl, line 2", interactions={**PLAYS, "path": "plays.jsonl"})


def test_broken_parquet(read):
    refused(read, {"p.parquet": b"PAR1 nonsense"}, "p.parquet", interactions={**PLAYS, "path": "p.parquet"})


@pytest.mark.parametrize(("column", "line"), [("uid", ",a"), ("song", "2,")])
def test_missing_ids(read, column, line):
    refused(read, f"uid,song\n1,a\n{line}\n{line}\n", "line 3", f"column '{column}' is missing", "2 of 3 rows")


@pytest.mark.parametrize(
    ("written", "says"),
    [("-1", "negative"), ("nan", "not a finite number"), ("inf", "not a finite"), ("many", "'many'"), ("", "missing")],
)
def test_bad_weights(read, written, says):
    content = f"uid,song,n\n1,a,1\n1,b,{written}\n1,c,{written}\n"
    refused(read, content, "plays.csv, line 3", "column 'n'", says, "2 of 3", interactions={**PLAYS, "weight": "n"})


def test_nan_weights_in_parquet(read):
    frame = pl.DataFrame({"uid": [1, 2], "song": [1, 2], "n": [1.0, float("nan")]})
    mapping = {**PLAYS, "path": "p.parquet", "weight": "n"}
    refused(read, {"p.parquet": frame}, "p.parquet, row 2", "not a finite number", interactions=mapping)


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_ids_in_typed_files(read, missing):
    frame = pl.DataFrame({"uid": ["1", "2"], "song": ["a", missing]})
    mapping = {**PLAYS, "path": "p.parquet"}
    refused(
        read, {"p.parquet": frame}, "p.parquet, row 2", "column 'song'", "every row needs one", interactions=mapping
    )
    floats = pl.DataFrame({"uid": [1.0, float("nan")], "song": ["a", "b"]})
    refused(read, {"p.parquet": floats}, "p.parquet, row 2", "column 'uid'", interactions=mapping)


def test_a_missing_id_inside_a_playlist(read):
    content = '{"uid": 1, "song": ["a", "b"]}\n{"uid": 2, "song": ["c", null]}\n'
    mapping = {**PLAYS, "path": "plays.jsonl"}
    refused(read, {"plays.jsonl": content}, "plays.jsonl, line 2", "'song' is missing", interactions=mapping)


def test_lists_where_one_value_belongs(read):
    content = '{"uid": 1, "song": "a", "t": [1, 2]}\n'
    mapping = {**PLAYS, "path": "plays.jsonl", "time": "t"}
    refused(read, {"plays.jsonl": content}, "column 't' holds List", interactions=mapping)


def test_no_weight_above_zero(read):
    refused(read, "uid,song,n\n1,a,0\n", "no interactions", interactions={**PLAYS, "weight": "n"})


@pytest.mark.parametrize("written", ["yesterday", "2024-13-01", "nan"])
def test_bad_times(read, written):
    content = f"uid,song,t\n1,a,5\n1,b,{written}\n"
    refused(read, content, "line 3", "not a time", "ISO", interactions={**PLAYS, "time": "t"})


def test_milliseconds_taken_for_seconds(read):
    refused(read, "uid,song,t\n1,a,1704067200000\n", "time_unit: ms", interactions={**PLAYS, "time": "t"})


@pytest.mark.parametrize("written", ["1.5", "x", "3000000000"])
def test_bad_groups(read, written):
    refused(read, f"uid,song,f\n1,a,{written}\n", "line 2", "column 'f'", interactions={**PLAYS, "group": "f"})


@pytest.mark.parametrize(("group", "told"), [(1 << 31, "2147483648, not an integer of 32 bits"), (None, "missing")])
def test_bad_groups_of_a_column_of_integers(read, group, told):
    frame = pl.DataFrame({"uid": [1, 1], "song": ["a", "b"], "f": [3, group]})
    mapping = {**PLAYS, "path": "p.parquet", "group": "f"}
    refused(read, {"p.parquet": frame}, "row 2", "column 'f'", told, interactions=mapping)
    assert read({"p.parquet": frame[:1]}, interactions=mapping).interactions.groups.tolist() == [3]


def test_an_unknown_format(read):
    refused(read, {"plays.dat": "uid,song\n"}, "plays.dat", "format", interactions={**PLAYS, "path": "plays.dat"})


def test_too_few_names_for_the_columns(read):
    refused(read, "1,a,x\n", "3 columns", "names 2", interactions={**PLAYS, "columns": ["uid", "song"]})


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.ones((3, 2)), "(3, 2)"),
        (np.array([[1.0, np.nan]]), "row 1"),
        (np.ones(1), "(1,)"),
    ],
)
def test_bad_npy(read, vectors, says):
    files = {"plays.csv": "uid,song\n1,a\n", "items.csv": "id\na\n", "v.npy": vectors}
    refused(read, files, "v.npy", says, items={"path": "items.csv", "id": "id"}, item_vectors={"path": "v.npy"})


@pytest.mark.parametrize("bad", [[3.0], [3.0, float("nan")], [3.0, None], None])
def test_bad_vectors_in_parquet(read, bad):
    files = {
        "plays.csv": "uid,song\n1,a\n",
        "v.parquet": pl.DataFrame({"id": ["a", "b"], "vector": [[1.0, 2.0], bad]}),
    }
    refused(read, files, "v.parquet, row 2", "column 'vector'", item_vectors={"path": "v.parquet"})


def test_vectors_that_are_no_lists(read):
    files = {"plays.csv": "uid,song\n1,a\n", "v.parquet": pl.DataFrame({"id": ["a"], "vector": [1.0]})}
    refused(read, files, "v.parquet", "must hold lists of numbers", item_vectors={"path": "v.parquet"})


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"interactions": {**PLAYS, "colour": "red"}},
        {"interactions": {**PLAYS, "separator": "::"}},
        {"interactions": {**PLAYS, "encoding": "klingon"}},
        {"interactions": PLAYS, "weight": {"half_life": 0}},
    ],
)
def test_options_are_strict(mapping):
    with pytest.raises(ValidationError):
        TableOptions.model_validate(mapping)


# Malformed lines that are skipped


def test_malformed_values_are_passed_over_and_counted(read, tmp_path):
    content = "uid,song,w\n1,a,1\n2,,1\n3,c,much\n4,d,-1\n1,e,2\n"
    with pytest.raises(DataError, match=r"plays.csv, line 3: .*`strict: false` skips malformed lines"):
        read({"plays.csv": content}, interactions={**PLAYS, "weight": "w"})
    options = {"interactions": {**PLAYS, "weight": "w"}, "strict": False}
    reader = TableReader(TableOptions.model_validate(options, context={"folder": tmp_path}))
    data = reader.read()
    assert list(data.items.ids) == ["a", "e"]
    (note,) = reader.notes()
    assert "plays.csv: 3 malformed lines were skipped; the first: line 3: " in note
    assert all(place in note for place in ("line 4", "line 5"))


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("plays.csv", b"uid,song\n1,a\n1,b,c\n2,\xff\n2,b\n", (3, 4)),
        ("plays.csv", b'uid,song\n1,a\n1,"x\n2,b\n\n3,\n', (3, 6)),
        ("plays.jsonl", b'{"uid": 1, "song": "a"}\n{"uid": 1, "so\n[1]\n{"uid": 2, "song": "b"}\n', (2, 3)),
    ],
)
def test_broken_lines_are_passed_over_where_they_stand(tmp_path, name, content, lines):
    (tmp_path / name).write_bytes(content)
    options = {"interactions": {**PLAYS, "path": name}, "strict": False}
    reader = TableReader(TableOptions.model_validate(options, context={"folder": tmp_path}))
    data = reader.read()
    assert (plays_of(data, "1"), plays_of(data, "2")) == (["a"], ["b"])
    (note,) = reader.notes()
    assert "2 malformed lines" in note
    assert all(f"line {line}: " in note for line in lines)
