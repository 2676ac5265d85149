"""Arrays handed to plugins are read-only and canonical, and nothing is copied to make them so."""

import pickle
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec.data.frozen import FrozenDict, frozen_csr
from hybridrec.stages.pool import Pool
from hybridrec.testing import toy_dataset, toy_queries
from hybridrec_implicit.als import ALS
from hybridrec_neighbours.users import UserKNN


def unsorted(matrix):
    """The same entries, each row backwards."""
    order = np.concatenate([np.arange(*ends)[::-1] for ends in zip(matrix.indptr, matrix.indptr[1:], strict=False)])
    return csr_matrix((matrix.data[order], matrix.indices[order], matrix.indptr.copy()), shape=matrix.shape)


def backwards():
    """The toy dataset from a source whose matrices are in no order."""
    toy = toy_dataset()
    empty = np.empty((0, 3), np.int32)
    return replace(toy, user_has={"tags": unsorted(toy.user_has["tags"])}, assignments={"tags": empty})


def arrays(value):
    """All arrays in a value."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, csr_matrix):
        assert value.__dict__["_has_canonical_format"], "nobody has looked yet whether it is sorted"
        yield from (value.data, value.indices, value.indptr)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from arrays(entry)
    elif is_dataclass(value):
        for member in fields(value):
            if member.init:
                yield from arrays(getattr(value, member.name))


def test_no_array_of_what_plugins_are_handed_can_be_written():
    data = toy_dataset()
    queries = toy_queries(data)
    ids = np.zeros((1, 1), np.int32)
    pool = Pool("items", ids, ("a",), ids.astype(np.uint64), {"a": ids.astype(np.float32)})
    handed = [data, data.hide(data.interactions.ids == 3), data.hide_users(np.arange(60) < 5), queries]
    handed += [
        queries.take(np.array([2, 0])),
        pool,
        pool.take(slice(0, 1)),
        data.user_matrix("tags"),
        data.item_matrix("tags"),
    ]
    for value in handed:
        assert not any(array.flags.writeable for array in arrays(value))


def test_freezing_copies_nothing_and_leaves_the_array_of_its_maker_alone():
    ids = np.zeros((1, 1), np.int32)
    pool = Pool("items", ids, (), ids.astype(np.uint64), {})
    assert np.shares_memory(pool.ids, ids)
    assert ids.flags.writeable
    matrix = csr_matrix(np.eye(3, dtype=np.float32))
    frozen = frozen_csr(matrix)
    assert np.shares_memory(frozen.data, matrix.data)
    assert frozen_csr(frozen) is frozen
    matrix.data[:] = 2


@pytest.mark.parametrize("write", ["m.data *= 2", "m *= 2", "m[0, 0] = 3", "m.data = m.data * 2", "m.resize(2, 2)"])
def test_a_frozen_matrix_refuses_every_ordinary_write(write):
    matrix = frozen_csr(csr_matrix(np.eye(3, dtype=np.float32)))
    with pytest.raises(ValueError, match="read-only"):
        exec(write, {"m": matrix})
    assert (matrix.toarray() == np.eye(3)).all()


def test_what_is_computed_from_a_frozen_matrix_may_be_written():
    matrix = frozen_csr(csr_matrix(np.eye(3, dtype=np.float32)))
    for free in (matrix.copy(), matrix @ matrix, matrix[:2], matrix.sign(), matrix.T.tocsr()):
        free.data[:] = 5
        free.data = free.data * 2
    history = toy_dataset().interactions.matrix()
    history.data *= 2
    assert (matrix.toarray() == np.eye(3)).all()


def test_columns_of_a_pool_cannot_be_replaced_and_survive_a_pickle():
    columns = FrozenDict({"a": 1})
    for write in (lambda: columns.update(a=2), lambda: columns.pop("a"), lambda: columns.__setitem__("b", 1)):
        with pytest.raises(ValueError, match="read-only"):
            write()
    assert pickle.loads(pickle.dumps(columns)) == columns == {"a": 1}


def test_tags_are_counted_once():
    data = toy_dataset()
    assert data.user_matrix("tags") is data.user_matrix("tags")
    assert data.hide(data.interactions.ids == 3).user_matrix("tags") is not data.user_matrix("tags")


def test_a_component_learns_the_same_whichever_was_fitted_before_it():
    pytest.importorskip("implicit")

    def learned(*classes):
        data, rng = backwards(), np.random.default_rng
        return {cls.name: cls(cls.Config()).fit(data, rng(0)).state() for cls in classes}

    assert backwards().user_matrix("tags").has_sorted_indices
    first, second = learned(ALS, UserKNN), learned(UserKNN, ALS)
    for name, state in first.items():
        for array in state:
            np.testing.assert_array_equal(state[array], second[name][array], err_msg=f"{name}: {array}")
