"""Helpers of the contract suites compare forms of answers, ties, contents of arguments, and files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Candidates, PluginError
from hybridrec.testing import _helpers as helpers
from hybridrec.testing import toy_dataset, toy_queries

NAN = np.nan


def floats(*rows):
    return np.array(rows, np.float32)


@pytest.mark.parametrize("target", ["items", "tags"])
def test_every_id_is_shuffled_for_each_query_with_padding_in_between(target):
    ids = helpers.shuffled_ids(toy_queries(helpers.toy()), target)
    n = helpers.toy().size(target)
    assert (np.sort(ids, axis=1) == [-1, -1, *range(n)]).all()
    assert len(np.unique(ids, axis=0)) == len(ids)
    assert not ids.flags.writeable


def test_candidates_become_a_matrix_with_nan_for_what_is_not_proposed():
    proposed = Candidates(np.array([[2, 0, -1], [-1, -1, -1]], np.int32), floats([3, 1, NAN], [NAN] * 3))
    np.testing.assert_array_equal(helpers.dense(proposed, 4), floats([1, NAN, 3, NAN], [NAN] * 4))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (floats([1, 2, NAN]), None),
        (floats([1.001, 2, NAN]), None),  # within the tolerance of the largest score of the row
        (floats([1.1, 2, NAN]), r"items: score \[1.1\] where \[1.\] is expected"),
        (floats([NAN, 2, NAN]), r"items: only one of the two has an opinion, first for query \[\[0 0\]\]"),
        (floats([1, 2, 0]), r"first for query \[\[0 2\]\]"),
    ],
)
def test_scores_are_close_within_a_share_of_the_largest(given, message):
    if message is None:
        helpers.assert_close(given, floats([1, 2, NAN]), 1e-3, "items")
        return
    with pytest.raises(AssertionError, match=message):
        helpers.assert_close(given, floats([1, 2, NAN]), 1e-3, "items")


def test_neighbours_within_rounding_and_the_last_tie():
    assert helpers.tied(floats([5, 4, 4 - 1e-6, 1], [4, 3, 2, 1])).tolist() == [
        [False, True, True, True],
        [False, False, False, True],
    ]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (floats([1, NAN]), True),
        (floats([1, NAN]).astype(np.float64), False),
        (floats([1, 2]), False),
        (floats([1]), False),
    ],
)
def test_identical_arrays_have_one_type_and_nan_in_the_same_places(other, same):
    assert helpers.identical(floats([1, NAN]), other) is same


def test_a_change_of_anything_that_was_handed_in_is_named():
    data, lesson = toy_dataset(), {"weights": np.ones(3)}
    before = helpers.contents(data=data, lesson=lesson)
    helpers.assert_unchanged(before, data=toy_dataset(), lesson={"weights": np.ones(3)})
    lesson["weights"][1] = 2
    other = replace(data, interactions=replace(data.interactions, weights=data.interactions.weights + 1))
    with pytest.raises(AssertionError, match=r"changed what it was given: data.interactions.weights, lesson.weights$"):
        helpers.assert_unchanged(before, data=other, lesson=lesson)


def test_the_order_of_entries_of_a_matrix_is_content():
    matrix = csr_matrix((np.ones(2), np.array([3, 1]), np.array([0, 2])), (1, 4))
    before = helpers.contents(matrix=matrix)
    matrix.sort_indices()
    with pytest.raises(AssertionError, match=r"matrix\.indices$"):
        helpers.assert_unchanged(before, matrix=matrix)


def test_a_state_comes_back_from_a_file_and_objects_do_not():
    state = {"vectors": floats([1, NAN]), "names": np.array(["a", "나"])}
    again = helpers.through_a_file(state)
    assert again.keys() == state.keys()
    assert all(np.array_equal(again[name], state[name], equal_nan=name == "vectors") for name in state)
    with pytest.raises(PluginError, match="objects"):
        helpers.through_a_file({"extra": np.array([{}], object)})
