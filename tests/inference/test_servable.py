"""The contents of a served run: the data that queries need, with or without users, and the plugins behind it."""

import numpy as np
from pydantic import BaseModel

from hybridrec.inference.servable import PluginSource, plugin_classes, served_data, without_users
from hybridrec.plugin import Plugin
from hybridrec.testing import toy_dataset

DATA = toy_dataset()


def test_served_data_answers_queries_as_the_whole_does():
    served = served_data(DATA)
    rows = np.arange(len(DATA.users), dtype=np.int32)
    whole, lean = DATA.queries(rows), served.queries(rows)
    assert (whole.matrix("tags") != lean.matrix("tags")).nnz == 0
    assert np.array_equal(whole.history.ids, lean.history.ids)
    assert whole.text == lean.text
    assert (served.item_matrix("tags") != DATA.item_matrix("tags")).nnz == 0
    assert len(served.assignments) == 0  # counted in once, not twice
    assert served.items.vectors is None
    assert served.interactions.groups is None


def test_without_users_nothing_of_them_is_left_and_all_of_the_items_is():
    whole = served_data(DATA.with_entities("users", times=np.arange(60.0)))
    bare = without_users(whole)
    assert (len(bare.users), len(bare.interactions), bare.users.text, len(bare.users.times)) == (0, 0, (), 0)
    assert bare.user_matrix("tags").shape == (0, DATA.size("tags"))
    if whole.users.features is not None:
        assert bare.users.features.matrix.shape == (0, len(whole.users.features.names))
        assert bare.users.features.names == whole.users.features.names
    assert bare.items == whole.items
    assert bare.items.text == whole.items.text
    assert bare.interactions.width == len(DATA.items)


def test_plugins_among_the_options_are_found_however_deep():
    class Options(BaseModel, arbitrary_types_allowed=True):
        inner: object

    class Inner(Plugin):
        name = "inner"

    class Outer(Plugin):
        name = "outer"

        def __init__(self, inner):
            self.config = Options(inner=inner)

    nested = {"a": [1, (Outer(Inner()), "text")], "b": Inner()}
    assert [*plugin_classes(Outer(nested))] == [Outer, Outer, Inner, Inner]
    assert [*plugin_classes("outer")] == []


def test_a_missing_plugin_is_installed_in_the_version_that_was_used():
    source = PluginSource("toyland", "toyland", "toyland-dist", "1.5")
    assert source.install_hint == "pip install 'toyland-dist==1.5'"
