"""Random draws among the items of a tag or a cluster: who is drawn, and that chance is the query's own."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Exclude
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_tags.random_draw import TagDraw


class TestTagDrawContract(ComponentContract):
    component = TagDraw


def fitted(data, seed=0):
    return TagDraw().fit(data, np.random.default_rng(seed))


def everybody(data):
    return data.queries(np.arange(len(data.users), dtype=np.int32))


def test_only_items_that_share_a_tag_are_drawn():
    data = toy_dataset()
    has = data.item_matrix("tags").toarray() > 0
    queries = everybody(data)
    scores = fitted(data).scores(queries, "items")
    for row, drawn in enumerate(~np.isnan(scores)):
        tags = has[queries.history.take(np.array([row])).ids].any(axis=0)
        assert (drawn == has[:, tags].any(axis=1)).all()


def test_items_without_tags_have_those_of_their_users():
    data = toy_dataset()
    bare = replace(data, item_has={"tags": csr_matrix(data.item_has["tags"].shape)}, assignments={})
    drawn = ~np.isnan(fitted(bare).scores(everybody(bare), "items"))
    even = np.arange(len(data.items)) % 2 == 0
    assert drawn[0, even].sum() > 10
    assert not drawn[0, ~even].any()


def test_every_query_draws_for_itself_and_every_seed_anew():
    data = toy_dataset()
    queries = everybody(data).take(np.array([2, 4, 2]))
    first, other, again = fitted(data).candidates(queries, 10, "items", Exclude()).ids
    assert first.tolist() == again.tolist() != other.tolist()
    assert first.tolist() != fitted(data, seed=1).candidates(queries, 10, "items", Exclude()).ids[0].tolist()
