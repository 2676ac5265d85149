from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, PluginError
from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset, contains


def complete():
    """A dataset with something in every field."""
    frame = pl.DataFrame
    return assemble(
        Tables(
            interactions=frame(
                {
                    "user": ["me", "너", "me", "me"],
                    "item": ["🎸", "b", "b", "🎸"],
                    "time": [3.0, 1.0, 2.0, 1.0],
                    "weight": [1.0, 2.0, 3.0, 4.0],
                    "group": [0, 1, 2, 0],
                }
            ),
            users=frame({"id": ["silent", "me"], "title": ["", "Mein Mix ♥"], "time": [None, 4.0]}),
            items=frame({"id": ["new", "b", "new"], "text": ["Neu", None, "Alt"], "time": [5.0, None, 7.0]}),
            user_tags=frame({"user": ["me", "me", "nobody"], "tag": ["rock", "rock", "pop"]}),
            item_tags=frame({"item": ["b"], "tag": ["jazz"], "weight": [0.5]}),
            assignments=frame({"user": ["me", "me"], "item": ["🎸", "b"], "tag": ["rock", "loud"]}),
            user_features=frame({"user": ["me"], "feature": ["country:KR"]}),
            item_features=frame({"item": ["b", "new"], "feature": ["year:1999", "year:2000"]}),
            item_vectors=(pl.Series(["new", "elsewhere"]), np.ones((2, 3), np.float32)),
        )
    )


def bare():
    """A dataset with nothing that may be left out."""
    return assemble(Tables(pl.DataFrame({"user": ["u"], "item": ["i"]})))


@pytest.mark.parametrize("make", [complete, bare])
def test_restore_is_the_exact_inverse_of_state(make):
    data = make()
    again = Dataset.restore(data.state())
    state, restored = data.state(), again.state()
    assert state.keys() == restored.keys()
    for name, array in state.items():
        assert array.dtype == restored[name].dtype, name
        np.testing.assert_array_equal(array, restored[name], err_msg=name)
    assert again.fingerprint == data.fingerprint
    assert again.users == data.users
    assert again.titles == data.titles
    assert (again.item_features is None) == (data.item_features is None)


def test_a_complete_dataset_flattens_every_field():
    heads = {name.split(".")[0] for name in complete().state()}
    assert heads == {member.name for member in fields(Dataset) if member.compare}


def test_the_fingerprint_does_not_see_how_a_matrix_was_made():
    data = complete()
    wide = data.declared_user_tags.copy()
    wide.indptr, wide.indices = wide.indptr.astype(np.int64), wide.indices.astype(np.int64)
    assert replace(data, declared_user_tags=wide).fingerprint == data.fingerprint


def test_the_fingerprint_sees_a_changed_group():
    data = complete()
    groups = data.interactions.groups + 1
    assert replace(data, interactions=replace(data.interactions, groups=groups)).fingerprint != data.fingerprint


def test_assembling_keeps_order_repeats_and_silent_users():
    data = complete()
    me, silent = data.users.encode(["me", "silent"])
    history = data.interactions.take(np.array([me, silent]))
    assert [data.items.ids[int(item)] for item in history.ids] == ["🎸", "b", "🎸"]  # by time
    assert history.lengths.tolist() == [3, 0]
    assert history.groups.tolist() == [0, 2, 0]


def test_assembling_passes_over_tags_of_strangers():
    data = complete()
    assert set(data.tags.ids) == {"rock", "jazz", "loud"}  # "pop" belongs to nobody


def test_assembled_fields_stand_at_their_codes():
    data = complete()
    new, b = data.items.encode(["new", "b"])
    assert data.item_text[new] == "Neu"  # of two rows the first
    assert data.item_text[b] == ""
    assert data.item_times[new] == 5.0
    assert np.isnan(data.item_times[b])
    assert data.item_vectors[new].tolist() == [1, 1, 1]
    assert data.item_vectors[b].tolist() == [0, 0, 0]
    assert data.user_tags[data.users.encode(["me"])[0]].sum() == 4  # two declared, two assigned


ONE = pl.DataFrame({"user": ["u"], "item": ["i"]})
NULL = pl.Series([None, "a"], dtype=pl.String)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"items": pl.DataFrame({"id": ["i"], "txt": ["I"]})}, "Tables.items has the unknown column 'txt'"),
        (
            {"items": pl.DataFrame({"id": ["i"], "title": ["I"]})},
            "the unknown column 'title'; it may have id, text, time",
        ),
        ({"interactions": pl.DataFrame({"user": ["u"]})}, "Tables.interactions lacks the column 'item'"),
        ({"interactions": ONE.rename({"item": "itme"})}, "lacks the column 'item'; it has user, itme"),
        ({"users": ONE.lazy()}, "Tables.users must be a polars DataFrame, not LazyFrame"),
    ],
)
def test_tables_take_their_own_columns_and_no_others(tables, message):
    with pytest.raises(PluginError, match=message):
        Tables(**{"interactions": ONE, **tables})


def test_tables_pass_over_the_numbers_of_lines():
    assert len(assemble(Tables(ONE.with_columns(line=1))).items) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"interactions": pl.DataFrame({"user": ["u", "v"], "item": NULL})}, "interactions: 1 of 2 ids .* 'item'"),
        ({"users": pl.DataFrame({"id": NULL})}, "Tables.users: 1 of 2 ids missing .* in the column 'id'"),
        ({"item_tags": pl.DataFrame({"item": ["i", "i"], "tag": NULL})}, "item_tags: 1 of 2 ids .* 'tag'"),
        ({"item_features": pl.DataFrame({"item": ["i", "i"], "feature": NULL})}, "item_features: 1 of 2 .* 'feature'"),
    ],
)
def test_a_missing_id_is_told_with_table_and_column(tables, message):
    with pytest.raises(DataError, match=message):
        assemble(Tables(**{"interactions": ONE, **tables}))


@pytest.mark.parametrize("among", [[], [5], [9, 2, 2, 7]])
@pytest.mark.parametrize("keys", [[], [2, 5, 1, 9, 10, 5]])
def test_contains_is_isin(among, keys):
    among, keys = np.array(among, np.int64), np.array(keys, np.int64)
    assert contains(among, keys).tolist() == np.isin(keys, among).tolist()


def test_hiding_a_pair_hides_its_tags_and_a_staying_repeat_keeps_them():
    data = complete()
    pairs = data.pairs
    me, guitar = data.users.encode(["me"])[0], data.items.encode(["🎸"])[0]
    own = (data.interactions.rows == me) & (data.interactions.ids == guitar)
    one = np.arange(len(pairs)) == np.flatnonzero(own)[0]
    tags_of = lambda cut: ((cut.assignments[:, 0] == me) & (cut.assignments[:, 1] == guitar)).sum()
    assert tags_of(data) > 0
    assert tags_of(data.hide(one)) == tags_of(data)
    assert tags_of(data.hide(own)) == 0
