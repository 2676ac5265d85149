"""Fingerprints: equal for equal content however it is stored, different for anything changed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Ragged, Vocabulary
from hybridrec.data.fingerprint import fingerprint, flatten
from tests.data.builders import random_dataset

DATA = random_dataset(1)
MATRIX = csr_matrix(np.array([[0, 1, 2], [0, 0, 0], [3, 0, 4]], np.float32))


def stored_otherwise(matrix):
    """The same matrix with 64-bit indices, out of order, and one entry in two parts."""
    coo = matrix.tocoo()
    rows, columns, values = coo.row[::-1], coo.col[::-1], coo.data[::-1].copy()
    values[-1] /= 2
    rows, columns, values = (np.append(a, a[-1]) for a in (rows, columns, values))
    order = np.argsort(rows, kind="stable")
    result = csr_matrix(matrix.shape, dtype=matrix.dtype)
    result.indptr = np.searchsorted(rows[order], np.arange(matrix.shape[0] + 1)).astype(np.int64)
    result.indices, result.data = columns[order].astype(np.int64), values[order]
    return result


def test_how_a_matrix_is_stored_does_not_count():
    other = stored_otherwise(MATRIX)
    before = other.indices.copy(), other.data.copy()
    assert not other.has_sorted_indices
    assert fingerprint(other) == fingerprint(MATRIX)
    np.testing.assert_array_equal(other.indices, before[0])  # asking changed nothing
    np.testing.assert_array_equal(other.data, before[1])


def test_views_and_copies_are_equal():
    wide = np.arange(20).reshape(4, 5)
    assert fingerprint(wide[::2, 1:3]) == fingerprint(np.array(wide[::2, 1:3]))
    assert fingerprint(np.asfortranarray(wide)) == fingerprint(wide)
    assert random_dataset(1).fingerprint == DATA.fingerprint


def changed_matrix(matrix):
    result = matrix.copy()
    result.data[0] += 1
    return result


HISTORY = DATA.interactions


@pytest.mark.parametrize(
    "changed",
    [
        replace(DATA, interactions=replace(HISTORY, ids=np.roll(HISTORY.ids, 1))),
        replace(DATA, interactions=replace(HISTORY, times=HISTORY.times + 1e-6)),
        replace(DATA, interactions=replace(HISTORY, weights=None)),
        replace(DATA, interactions=replace(HISTORY, width=HISTORY.width + 1)),
        DATA.with_entities("users", text=("another", *DATA.users.text[1:])),
        replace(DATA, user_has={"tags": changed_matrix(DATA.user_has["tags"])}),
        replace(DATA, assignments={"tags": DATA.assignments["tags"][1:]}),
        DATA.with_entities("items", vectors=DATA.items.vectors.astype(np.float64)),
        DATA.with_entities("items", features=None),
        DATA.with_entities("users", vocabulary=Vocabulary(f"x{name}" for name in DATA.users.vocabulary.ids)),
    ],
)
def test_any_change_shows(changed):
    assert changed.fingerprint != DATA.fingerprint


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a",), ("a", "")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(1, np.int32), np.zeros(1, np.float32)),
        (csr_matrix((2, 3)), csr_matrix((3, 2))),
        (Ragged.from_rows([[1], []], 3), Ragged.from_rows([[], [1]], 3)),
        (None, np.empty(0)),
    ],
)
def test_what_looks_alike_is_told_apart(left, right):
    assert fingerprint(left) != fingerprint(right)


def test_the_place_of_a_value_counts():
    assert fingerprint("a", "b") != fingerprint("b", "a")
    assert fingerprint("a", None) != fingerprint(None, "a")


def test_what_cannot_become_arrays_is_refused():
    with pytest.raises(TypeError, match="0: set cannot be turned into arrays"):
        fingerprint(set())
    assert list(dict(flatten(HISTORY, "h"))) == ["h.ids", "h.offsets", "h.width", "h.times", "h.weights", "h.groups"]
