"""Entities of any kind: on users, on items, on both, and through items."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, PluginError, Query, Tables, assemble
from hybridrec.data.encoding import encode
from hybridrec.data.entities import Entities
from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.data.splits.masked_users import Masked
from hybridrec.data.splits.temporal import Temporal
from hybridrec.data.vocabulary import Vocabulary

PLAYS = pl.DataFrame(
    {
        "user": ["ann", "ann", "ben", "ben", "ben", "cat", "cat"],
        "item": ["a", "b", "b", "c", "d", "a", "d"],
        "time": [1.0, 4.0, 2.0, 3.0, 6.0, 5.0, 7.0],
        "device": ["tv", "phone", "tv", "tv", "phone", None, "tv"],
    }
)


def songs(**changed):
    tables = {
        "interactions": PLAYS,
        "entities": {"artists": pl.DataFrame({"id": ["x", "y", "z"], "text": ["Xena", None, "Zoe"]})},
        "user_has": {"halls": pl.DataFrame({"user": ["ann", "ben", "cat"], "id": ["Roxy", "Odeon", "Roxy"]})},
        "item_has": {"artists": pl.DataFrame({"item": ["a", "b", "c", "d"], "id": ["x", "x", "y", "z"]})},
        "context": ("device",),
    }
    return assemble(Tables(**(tables | changed)))


def test_kinds_have_vocabularies_and_texts_of_their_own():
    data = songs()
    assert list(data.entities) == ["users", "items", "artists", "halls"]
    assert data.entities["artists"].names() == ("Xena", "y", "Zoe")
    assert data.targets == ("items", "halls")
    assert (data.size("halls"), data.size("venues")) == (2, 0)
    assert data.user_matrix("venues").shape == (3, 0)


def test_what_users_have_through_items_follows_from_what_is_visible():
    data = replace(songs(), through_items=("artists",))
    assert data.targets == ("items", "artists", "halls")
    assert data.user_matrix("artists").toarray().tolist() == [[2, 0, 0], [1, 1, 1], [1, 0, 1]]
    shown = data.hide(data.interactions.ids == data.items.vocabulary.encode(["d"])[0])
    assert shown.user_matrix("artists").toarray().tolist() == [[2, 0, 0], [1, 1, 0], [1, 0, 0]]


def test_the_truth_of_a_kind_is_what_the_split_hides_of_it():
    data = replace(songs(), through_items=("artists",))
    (fold,) = Temporal(Temporal.Config(test=0.55, min_history=1)).split(data, np.random.default_rng(0))
    artists = dict(zip(fold.units.tolist(), fold.truth["artists"].toarray().tolist(), strict=True))
    # From 4.0 on ann finds another song of x, which she knows; ben the first one of z.
    assert artists[1] == [0, 0, 1]
    assert 0 not in artists or artists[0] == [0, 0, 0]
    assert fold.truth["halls"].nnz == 0  # halls are declared: known before the cut


def test_hidden_items_reach_no_query_and_no_training_part_through_their_entities():
    data = replace(songs(), through_items=("artists",))
    splitter = Temporal(Temporal.Config(test=0.55, min_history=1))
    (fold,) = splitter.split(data, np.random.default_rng(0))
    hidden = data.interactions.times > 3.5
    ids = data.interactions.ids.copy()
    ids[hidden] = (ids[hidden] + 1) % 4
    other = replace(data, interactions=replace(data.interactions, ids=ids))
    (moved,) = splitter.split(other, np.random.default_rng(0))
    assert moved.train.fingerprint == fold.train.fingerprint
    asked = np.intersect1d(fold.units, moved.units)
    assert len(asked)
    for unit in asked:
        queries = [f.queries.take(np.flatnonzero(f.units == unit)) for f in (fold, moved)]
        assert fingerprint(queries[0].matrix("artists")) == fingerprint(queries[1].matrix("artists"))


def test_a_query_has_the_context_of_the_first_interaction_it_asks_for():
    (fold,) = Temporal(Temporal.Config(test=0.55, min_history=1)).split(songs(), np.random.default_rng(0))
    device = fold.queries.context.column("device")
    by_unit = dict(zip(fold.units.tolist(), device.single().tolist(), strict=True))
    assert {unit: code if code < 0 else device.categories[code] for unit, code in by_unit.items()} == {
        0: "phone", 1: "phone",
    }  # fmt: skip


def test_a_masked_query_of_items_alone_shows_no_other_kind_and_asks_for_all_of_it():
    data = songs()
    (fold,) = Masked(Masked.Config(test=0.4, scenarios={"items": 1})).split(data, np.random.default_rng(1))
    assert not fold.queries.matrix("halls").nnz
    assert (fold.truth["halls"] != data.user_matrix("halls")[fold.units]).nnz == 0
    assert fold.queries.context is None
    assert not fold.train.user_matrix("halls")[fold.units].nnz


def test_a_query_may_name_entities_of_any_kind():
    data = replace(songs(), through_items=("artists",))
    batch = encode(
        [Query(entities={"halls": ["Roxy", "nowhere"]}), Query(items=["c"], entities={"artists": ["z"]})], data
    )
    assert batch.matrix("halls").toarray().tolist() == [[0, 1], [0, 0]]
    assert batch.matrix("artists").toarray().tolist() == [[0, 0, 0], [0, 1, 1]]
    assert batch.segments().tolist() == ["halls", "items"]
    assert batch.has("halls").tolist() == [True, False]
    with pytest.raises(DataError, match="unknown kind 'hall' in `entities`; did you mean 'halls'"):
        encode([Query(entities={"hall": ["Roxy"]})], data)


def test_a_query_states_columns_of_the_request_and_of_the_user():
    data = songs(features={"users": pl.DataFrame({"id": ["ann"], "age": [41]})})
    told = Query(user="ann", context={"device": "tv"}, user_features={"age": 7})
    batch = encode([told, Query(user="ann"), Query()], data)
    assert batch.context.column("device").single().tolist() == [1, -1, -1]
    assert repr(batch.user_features.column("age").values.tolist()) == "[7.0, 41.0, nan]"
    with pytest.raises(DataError, match="context: unknown name 'devise'; did you mean 'device'"):
        encode([Query(context={"devise": "tv"})], data)
    with pytest.raises(DataError, match="`context` is given, but the data has no such columns"):
        encode([Query(context={"device": "tv"})], songs(context=(), interactions=PLAYS.drop("device")))


@pytest.mark.parametrize("name", ["Artists", "title", "user", "words", "few-items", "a/b"])
def test_names_that_mean_something_else_are_no_kinds(name):
    with pytest.raises(PluginError, match="cannot name a kind of entities"):
        songs(user_has={name: pl.DataFrame({"user": ["ann"], "id": ["x"]})})


def test_items_are_not_carried():
    with pytest.raises(PluginError, match="items are ends of interactions; only kinds other than users and items are"):
        songs(user_has={"items": pl.DataFrame({"user": ["ann"], "id": ["x"]})})


def test_impressions_are_kept_apart_and_hidden_with_their_users():
    shown = pl.DataFrame({"user": ["ann", "cat", "nobody"], "item": ["c", "b", "a"]})
    data = songs(impressions=shown)
    assert data.impressions.lengths.tolist() == [1, 0, 1]
    assert len(data.interactions.ids) == len(PLAYS)
    assert data.hide_users(np.array([True, False, False])).impressions.lengths.tolist() == [0, 0, 1]


def test_entities_without_texts_are_named_by_their_ids():
    assert Entities(Vocabulary(["b", "a"])).names() == ("a", "b")


def test_names_are_texts_or_ids_of_all_or_of_some():
    artists = songs().entities["artists"]
    assert artists.names() == ("Xena", "y", "Zoe")
    for text in (artists.text, PackedTexts.of(artists.text)):
        some = replace(artists, text=text)
        assert some.names(np.array([1, 2, 1], np.int32)) == ("y", "Zoe", "y")
        assert some.names(np.array([2, 0], np.int32)) == ("Zoe", "Xena")
