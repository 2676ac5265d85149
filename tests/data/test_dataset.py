from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest

from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset, contains
from tests.data.builders import complete


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
    assert again.vocabulary("users") == data.vocabulary("users")
    assert again.users.text == data.users.text
    assert (again.items.features is None) == (data.items.features is None)


def test_the_catalogue_is_what_no_split_hides():
    data = complete()
    hidden = data.hide(np.arange(len(data.interactions.ids)) % 2 == 0).hide_users(np.ones(len(data.users), bool))
    assert data.catalogue.fingerprint == hidden.hide_items(np.ones(len(data.items), bool)).catalogue.fingerprint
    assert data.catalogue.fingerprint != data.with_entities("items", times=None).catalogue.fingerprint
    assert (len(data.catalogue.users), len(data.catalogue.interactions)) == (0, 0)
    assert data.catalogue.items is data.items
    for kind, stated in data.item_has.items():
        assert (data.catalogue.item_matrix(kind) != stated).nnz == 0
    assert data.catalogue.targets == ("items",)


def test_a_complete_dataset_flattens_every_field():
    heads = {name.split(".")[0] for name in complete().state()}
    assert heads == {member.name for member in fields(Dataset) if member.compare}


def test_the_fingerprint_does_not_see_how_a_matrix_was_made():
    data = complete()
    wide = data.user_has["tags"].copy()
    wide.indptr, wide.indices = wide.indptr.astype(np.int64), wide.indices.astype(np.int64)
    assert replace(data, user_has={**data.user_has, "tags": wide}).fingerprint == data.fingerprint


def test_the_fingerprint_sees_a_changed_group():
    data = complete()
    groups = data.interactions.groups + 1
    assert replace(data, interactions=replace(data.interactions, groups=groups)).fingerprint != data.fingerprint


@pytest.mark.parametrize("among", [[], [5], [9, 2, 2, 7]])
@pytest.mark.parametrize("keys", [[], [2, 5, 1, 9, 10, 5]])
def test_contains_is_isin(among, keys):
    among, keys = np.array(among, np.int64), np.array(keys, np.int64)
    assert contains(among, keys).tolist() == np.isin(keys, among).tolist()


def test_hiding_a_pair_hides_its_tags_and_a_staying_repeat_keeps_them():
    data = complete()
    pairs = data.pairs
    me, guitar = data.users.vocabulary.encode(["me"])[0], data.items.vocabulary.encode(["🎸"])[0]
    own = (data.interactions.rows == me) & (data.interactions.ids == guitar)
    first_repeat = np.arange(len(pairs)) == np.flatnonzero(own)[0]
    tags_of = lambda cut: ((cut.assignments["tags"][:, 0] == me) & (cut.assignments["tags"][:, 1] == guitar)).sum()
    assert tags_of(data) > 0
    assert tags_of(data.hide(first_repeat)) == tags_of(data)
    assert tags_of(data.hide(own)) == 0
