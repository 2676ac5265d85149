"""Exclusions hold what they mask, in any order of ids, and candidates may be empty."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Candidates, Exclude
from hybridrec.stages.checks import check_candidates

ROWS = csr_matrix(np.array([[1, 0, 0, 1, 0, 0, 0, 0, 0], [0] * 9, [1] * 9], np.float32))
IDS = np.arange(9) == 5


def test_exclude_takes_rows_and_is_equal_only_to_itself():
    exclude = Exclude(ROWS, IDS)
    part = exclude.take(np.array([2, 0]))
    assert part.rows.toarray().tolist() == ROWS.toarray()[[2, 0]].tolist()
    assert np.shares_memory(part.ids, IDS)
    assert Exclude().take(slice(0, 1)).rows is None
    assert exclude == exclude
    assert exclude != Exclude(ROWS, IDS)
    assert len({exclude, Exclude(ROWS, IDS)}) == 2


@pytest.mark.parametrize(("rows", "ids", "released"), [(ROWS, IDS, True), (ROWS, None, False), (None, None, False)])
def test_exclude_holds_what_it_masks(rows, ids, released):
    at = {"released": np.arange(9.0), "times": np.array([4.0, np.nan, 9.0])} if released else {}
    exclude, scores = Exclude(rows, ids, **at), np.zeros((3, 9), np.float32)
    exclude.mask(scores)
    asked = np.array([[8, 0, 3, -1], [5, 1, -1, -1], [2, 5, 7, 0]], np.int32)
    held = np.isneginf(np.take_along_axis(scores, np.maximum(asked, 0), axis=1)) & (asked >= 0)
    np.testing.assert_array_equal(exclude.holds(asked), held)


@pytest.mark.parametrize(("rows", "ids", "released"), [(ROWS, IDS, True), (ROWS, None, False), (None, None, False)])
@pytest.mark.parametrize("order", [np.arange(9)[::-1], np.array([7, 0, 3, 8])])
def test_exclude_masks_pieces_of_another_order(rows, ids, released, order):
    at = {"released": np.arange(9.0), "times": np.array([4.0, np.nan, 9.0])} if released else {}
    exclude, whole = Exclude(rows, ids, **at), np.zeros((3, 9), np.float32)
    exclude.mask(whole)
    places = np.full(9, 9, np.int32)
    places[order] = np.arange(len(order))
    arranged = exclude.arranged(order.astype(np.int32), places)
    for start, stop in ((0, 2), (2, 3), (1, len(order))):
        part = np.zeros((3, stop - start), np.float32)
        arranged.mask(part, start)
        np.testing.assert_array_equal(part, whole[:, order[start:stop]])


def test_exclude_holds_nothing_of_an_empty_vocabulary():
    nobody = np.full((2, 3), -1, np.int32)
    assert not Exclude(csr_matrix((2, 0)), np.zeros(0, bool)).holds(nobody).any()


def test_empty_candidates_say_nothing():
    check_candidates(Candidates.empty(3, 4), 3, 4, 9)
