"""The reader `table`: what it reads from files of each format, and what it says of broken ones."""

import json

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from hybridrec.data.readers.table import TableOptions
from hybridrec.errors import DataError
from tests.data.tables import PLAYS, plays_of, refused, tags_of


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


def test_a_row_can_be_a_whole_playlist(read):
    content = '{"pid": 1, "songs": [30, 10, 30], "title": "mix"}\n{"pid": 2, "songs": []}\n{"pid": 3, "songs": [10]}\n'
    data = read(
        {"lists.jsonl": content},
        interactions={"path": "lists.jsonl", "user": "pid", "item": "songs"},
        users={"path": "lists.jsonl", "id": "pid", "title": "title"},
    )
    assert plays_of(data, "1") == ["30", "10", "30"]
    assert plays_of(data, "2") == []
    assert data.users.text == ("mix", "", "")


def test_weight_options_are_applied(read):
    data = read(
        {"plays.csv": "uid,song,n\n1,a,3\n1,b,1\n"},
        interactions={**PLAYS, "weight": "n"},
        weight={"threshold": 2, "transform": "log"},
    )
    np.testing.assert_allclose(data.interactions.weights, [np.log(4)], rtol=1e-6)


def test_gains_are_numbers_of_their_own(read):
    content = "uid,song,n,paid\n1,a,3,9.99\n1,b,1,0\n1,c,0,5\n1,d,2,-4\n"
    paid = {**PLAYS, "weight": "n", "gain": "paid"}
    data = read({"plays.csv": content}, interactions=paid, weight={"transform": "log"})
    assert plays_of(data, "1") == ["a", "b", "d"]
    np.testing.assert_allclose(data.interactions.gains, [9.99, 0, -4])
    np.testing.assert_allclose(data.interactions.weights, np.log([4, 2, 3]), rtol=1e-6)
    refused(read, content.replace("9.99", ""), "plays.csv", "line 2", "paid", interactions=paid)


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
    assert list(data.users.vocabulary.ids) == ["1", "2"]
    assert data.interactions.lengths.tolist() == [1, 0]  # a user without interactions
    assert data.users.text == ("My list", "Silent")
    assert tags_of(data, data.user_matrix("tags"), 0) == {"calm", "happy"}
    assert data.users.features.names == ("country:KR",)
    assert data.items.text == ("Sugaree - Garcia", "Neu")
    assert tags_of(data, data.item_matrix("tags"), 0) == {"genre:rock", "genre:folk"}
    assert set(data.items.features.names) == {"genres:rock", "genres:folk", "year:1972"}
    assert data.items.times[0].astype("datetime64[s]") == np.datetime64("1972-01-01")
    assert np.isnan(data.items.times[1])


def test_files_of_tags(read):
    data = read(
        {
            "plays.csv": "uid,song\n1,a\n2,b\n",
            "ut.csv": "u,t\n1,calm\n9,gone\n",
            "it.csv": "i,t,w\na,rock,2\nb,rock,0\n",
            "ut3.tsv": "u\ti\tcode\n1\ta\t10\n1\tzzz\t10\n",
            "names.tsv": "code\tname\n10\tjazz\n",
        },
        user_has={"tags": {"path": "ut.csv", "user": "u", "id": "t"}},
        item_has={"tags": {"path": "it.csv", "item": "i", "id": "t", "weight": "w"}},
        assignments={
            "tags": {
                "path": "ut3.tsv",
                "user": "u",
                "item": "i",
                "id": "name",
                "join": {"path": "names.tsv", "match": {"code": "code"}},
            }
        },
    )
    assert list(data.vocabulary("tags").ids) == ["calm", "jazz", "rock"]
    assert data.user_has["tags"].toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert data.item_has["tags"].toarray().tolist() == [[0, 0, 2], [0, 0, 0]]
    assert data.item_has["tags"].nnz == 1
    assert data.assignments["tags"].tolist() == [[0, 0, 1]]


def test_vectors_from_parquet_and_npy(read):
    files = {
        "plays.csv": "uid,song\n1,a\n1,b\n",
        "items.csv": "id\nb\na\n",
        "v.parquet": pl.DataFrame({"id": ["b", "a", "x"], "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}),
        "v.npy": np.array([[1, 2], [3, 4]]),
    }
    for vectors in ("v.parquet", "v.npy"):
        data = read(files, items={"path": "items.csv", "id": "id"}, item_vectors={"path": vectors})
        assert data.items.vectors.dtype == np.float32
        assert data.items.vectors.tolist() == [[3, 4], [1, 2]]


def test_the_order_of_rows_does_not_show_in_the_codes(read):
    first = read({"plays.csv": "uid,song,p\n1,a,1\n2,b,1\n1,c,2\n"}, interactions={**PLAYS, "position": "p"})
    second = read({"plays.csv": "uid,song,p\n1,c,2\n2,b,1\n1,a,1\n"}, interactions={**PLAYS, "position": "p"})
    assert first.fingerprint == second.fingerprint


def test_the_order_of_assignments_does_not_show(read):
    rows = ["1,a,y", "2,a,x", "1,b,x", "1,a,x"]
    made = {
        read(
            {"plays.csv": "uid,song\n1,a\n1,b\n2,a\n", "t.csv": "u,i,t\n" + "\n".join(order)},
            assignments={"tags": {"path": "t.csv", "user": "u", "item": "i", "id": "t"}},
        ).fingerprint
        for order in (rows, rows[::-1])
    }
    assert len(made) == 1


def test_no_weight_above_zero(read):
    refused(read, "uid,song,n\n1,a,0\n", "no interactions", interactions={**PLAYS, "weight": "n"})


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


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"interactions": {**PLAYS, "colour": "red"}},
        {"interactions": {**PLAYS, "separator": ":::"}},
        {"interactions": {**PLAYS, "encoding": "klingon"}},
        {"interactions": PLAYS, "weight": {"half_life": 0}},
    ],
)
def test_options_are_strict(mapping):
    with pytest.raises(ValidationError):
        TableOptions.model_validate(mapping)


EVENTS = "user,item,what,day\n1,a,view,1\n1,a,buy,2\n1,b,view,3\n2,b,cart,4\n2,c,hide,5\n2,a,buy,6\n"
KINDS = {"view": 1, "cart": 3, "buy": 5, "hide": -1}
OF_KIND = {"path": "plays.csv", "user": "user", "item": "item", "time": "day"}


def test_kinds_of_events_have_weights_and_negative_ones_are_dislikes(read):
    data = read({"plays.csv": EVENTS}, interactions={**OF_KIND, "event": "what"}, kinds=KINDS, asked=["buy"])
    matrix = data.interactions.matrix().toarray()
    assert matrix.tolist() == [[6, 1, 0], [5, 3, 0]]
    assert data.interactions.targets.tolist() == [False, True, False, False, True]
    assert data.dislikes.matrix().toarray().tolist() == [[0, 0, 0], [0, 0, 1]]
    assert data.dislikes.times.tolist() == [5.0]
    assert data.queries(np.array([1])).disliked.ids.tolist() == [2]
    without = read({"plays.csv": EVENTS}, interactions={**OF_KIND, "event": "what"}, kinds={**KINDS, "view": 0})
    assert without.interactions.matrix().toarray().tolist() == [[5, 0, 0], [5, 3, 0]]
    assert without.interactions.targets is None


def test_a_kind_that_is_left_out_is_no_dislike(read):
    plays = "user,item,what,stars\n1,a,buy,5\n1,b,view,5\n1,c,view,3\n1,d,buy,1\n2,a,buy,4\n"
    interactions = {"path": "plays.csv", "user": "user", "item": "item", "event": "what", "weight": "stars"}
    rated = {"interactions": interactions, "weight": {"threshold": 4, "dislike": 2}}
    data = read({"plays.csv": plays}, **rated, kinds={"buy": 1, "view": 0})
    assert data.interactions.matrix().sum() == 9
    assert [data.items.vocabulary.ids[int(code)] for code in data.dislikes.ids] == ["d"]
    with pytest.raises(DataError, match=r"give kinds a factor of 0 or 1, or leave `dislike` out"):
        read({"plays.csv": plays}, **rated, kinds={"buy": 1, "view": 0.3})


def test_kinds_in_files_of_their_own_are_the_same(read):
    rows = [line.split(",") for line in EVENTS.splitlines()[1:]]
    files = {
        f"{kind}.csv": "user,item,day\n" + "".join(f"{u},{i},{day}\n" for u, i, of_kind, day in rows if of_kind == kind)
        for kind in KINDS
    }
    events = {kind: {**OF_KIND, "path": f"{kind}.csv"} for kind in ("view", "cart", "hide")}
    main = {**OF_KIND, "path": "buy.csv", "event_kind": "buy"}
    several = read(files, interactions=main, events=events, kinds=KINDS, asked=["buy"])
    whole = read({"plays.csv": EVENTS}, interactions={**OF_KIND, "event": "what"}, kinds=KINDS, asked=["buy"])
    assert several.fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kinds": {"view": 1, "buy": 5, "cart": 3}}, r"1 interactions are of the kind 'hide', which `kinds` does not"),
        ({"kinds": {**KINDS, "by": 1}}, r"no interaction is of the kind 'by'; did you mean 'buy'"),
        ({"asked": ["bought"]}, r"no interaction is of the kind 'bought'"),
        ({"kinds": {"view": 1, "buy": 5}}, r"1 interactions are of the kind 'cart'"),  # the first in the alphabet
        ({"interactions": OF_KIND}, r"`kinds` and `asked` need the kind of each row"),
        ({"interactions": OF_KIND, "events": {"skip": OF_KIND}}, r"plays.csv: with `events` its rows need a kind, too"),
        (
            {"interactions": OF_KIND, "events": {"skip": OF_KIND}, "kinds": {}},
            r"name their column with `event`, or set `event_kind`",
        ),
        (
            {"events": {"skip": {"path": "plays.csv", "user": "user", "item": "item"}}},
            r"plays.csv has the roles item, user, and plays.csv item, time, user",
        ),
        ({"events": {"skip": {**OF_KIND, "event": "what"}}}, r"its kind is 'skip', as `events` says"),
    ],
)
def test_mistakes_about_kinds_are_told(read, change, says):
    mapping = {"interactions": {**OF_KIND, "event": "what"}, "kinds": KINDS, **change}
    with pytest.raises(DataError, match=says):
        read({"plays.csv": EVENTS}, **mapping)


def test_low_ratings_are_dislikes(read):
    ratings = "user,item,stars\n1,a,5\n1,b,3\n1,c,2\n2,a,4\n2,d,0\n"
    source = {"path": "plays.csv", "user": "user", "item": "item", "weight": "stars"}
    data = read(
        {"plays.csv": ratings}, interactions=source, weight={"threshold": 4, "dislike": 2, "transform": "binary"}
    )
    assert data.interactions.matrix().toarray().tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]
    assert data.dislikes.matrix().toarray().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    with pytest.raises(DataError, match="right is a `dislike` below `threshold`"):
        read({"plays.csv": ratings}, interactions=source, weight={"threshold": 2, "dislike": 2})
