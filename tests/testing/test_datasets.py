"""The toy data of the contract suites is what their checks take it for."""

import numpy as np

from hybridrec import kernels
from hybridrec.testing import edge_datasets, toy_dataset, toy_queries


def test_the_toy_dataset_is_a_checkerboard_with_holes():
    data = toy_dataset()
    history = data.interactions
    assert ((history.rows - history.ids) % 2 == 0).all()
    assert history.lengths[-1] == 0
    assert (history.lengths[:-1] > 0).all()
    assert set(history.ids) == set(range(39))
    assert len(np.unique(data.pairs)) < len(data.pairs), "some items are played twice"
    for tags in (data.user_has["tags"], data.item_has["tags"]):
        assert ((kernels.csr_rows(tags) - tags.indices) % 2 == 0).all()
    given = data.assignments["tags"]
    assert len(given)
    assert (given % 2 == given[:, :1] % 2).all()
    assert data.users.vocabulary.ids[7] == "user 07"
    assert toy_dataset().fingerprint == data.fingerprint


def test_toy_queries_are_of_all_kinds():
    kinds = set(toy_queries(toy_dataset()).segments())
    assert {"user+items+tags+title", "user", "items", "tags", "title", "items+tags", "nothing"} <= kinds


def test_edge_datasets_lack_what_they_say():
    edges = edge_datasets()
    assert edges["no tags"].size("tags") == 0
    assert len(edges["no interactions"].interactions.ids) == 0
    assert len(edges["one item"].items) == 1
    assert len(edges["one item"].interactions.ids) > 0
    assert set(edges["cold items"].interactions.ids) == set(range(20))
    assert (edges["one user with interactions"].interactions.lengths > 0).sum() == 1
    assert not edges["nothing known about anybody"].user_matrix("tags").nnz
    assert edges["only interactions"].interactions.times is None
