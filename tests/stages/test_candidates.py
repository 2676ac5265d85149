"""Exclusions hold what they mask, in any order of ids, and candidates may be empty."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Candidates, Exclude, kernels
from hybridrec.stages.checks import check_candidates

ROWS = csr_matrix(np.array([[1, 0, 0, 1, 0, 0, 0, 0, 0], [0] * 9, [1] * 9], np.float32))
IDS = np.arange(9) == 5
GROUPS = {"groups": np.array([IDS, np.arange(9) != 2]), "group": np.array([1, -1, 0], np.int32)}


def test_exclude_takes_rows_and_is_equal_only_to_itself():
    exclude = Exclude(ROWS, IDS)
    taken = exclude.take(np.array([2, 0]))
    assert taken.rows.toarray().tolist() == ROWS.toarray()[[2, 0]].tolist()
    assert np.shares_memory(taken.ids, IDS)
    assert Exclude().take(slice(0, 1)).rows is None
    assert exclude == exclude
    assert exclude != Exclude(ROWS, IDS)
    assert len({exclude, Exclude(ROWS, IDS)}) == 2


@pytest.mark.parametrize("grouped", [{}, GROUPS], ids=["plain", "grouped"])
@pytest.mark.parametrize(("rows", "ids", "released"), [(ROWS, IDS, True), (ROWS, None, False), (None, None, False)])
def test_exclude_holds_what_it_masks(rows, ids, released, grouped):
    at = {"released": np.arange(9.0), "times": np.array([4.0, np.nan, 9.0])} if released else {}
    exclude, scores = Exclude(rows, ids, **at, **grouped), np.zeros((3, 9), np.float32)
    exclude.mask(scores)
    asked = np.array([[8, 0, 3, -1], [5, 1, -1, -1], [2, 5, 7, 0]], np.int32)
    held = np.isneginf(np.take_along_axis(scores, np.maximum(asked, 0), axis=1)) & (asked >= 0)
    np.testing.assert_array_equal(exclude.holds(asked), held)


@pytest.mark.parametrize("grouped", [{}, GROUPS], ids=["plain", "grouped"])
@pytest.mark.parametrize(("rows", "ids", "released"), [(ROWS, IDS, True), (ROWS, None, False), (None, None, False)])
@pytest.mark.parametrize("order", [np.arange(9)[::-1], np.array([7, 0, 3, 8])])
def test_exclude_masks_pieces_of_another_order(rows, ids, released, order, grouped):
    at = {"released": np.arange(9.0), "times": np.array([4.0, np.nan, 9.0])} if released else {}
    exclude, whole = Exclude(rows, ids, **at, **grouped), np.zeros((3, 9), np.float32)
    exclude.mask(whole)
    places = np.full(9, 9, np.int32)
    places[order] = np.arange(len(order))
    arranged = exclude.arranged(order.astype(np.int32), places)
    for start, stop in ((0, 2), (2, 3), (1, len(order))):
        piece = np.zeros((3, stop - start), np.float32)
        arranged.mask(piece, start)
        np.testing.assert_array_equal(piece, whole[:, order[start:stop]])


def test_a_query_is_left_what_its_group_is_left():
    exclude, scores = Exclude(ids=IDS, **GROUPS), np.zeros((3, 9), np.float32)
    exclude.mask(scores)
    most = [0, 1, 2, 3, 4, 6, 7, 8]
    assert [np.flatnonzero(row == 0).tolist() for row in scores] == [[2], most, most]
    taken = exclude.take(np.array([1, 0]))
    assert taken.group.tolist() == [-1, 1]
    assert [(rows.tolist(), left.tolist()) for rows, left in exclude.narrow(1)] == [([0], [2])]
    assert list(taken.take(slice(0, 1)).narrow(9)) == []


def test_a_rule_that_leaves_one_of_a_hundred_takes_a_byte_per_id():
    n, queries, rng = 500_000, 128, np.random.default_rng(0)
    exclude = Exclude(groups=rng.random((1, n)) >= 0.01, group=np.zeros(queries, np.int32))
    assert sum(array.nbytes for array in (exclude.groups, exclude.group)) == n + 4 * queries
    vectors = rng.standard_normal((n, 8)).astype(np.float32)
    longest = kernels.Longest.of(vectors)
    tracemalloc.start()
    try:
        ids, _ = kernels.top_products(vectors[:queries], vectors, 50, exclude, longest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert (ids >= 0).all()
    assert not exclude.holds(ids).any()


def test_exclude_holds_nothing_of_an_empty_vocabulary():
    nobody = np.full((2, 3), -1, np.int32)
    assert not Exclude(csr_matrix((2, 0)), np.zeros(0, bool)).holds(nobody).any()


def test_empty_candidates_say_nothing():
    check_candidates(Candidates.empty(3, 4), 3, 4, 9)


def dense(exclude, queries, n):
    scores = np.zeros((queries, n), np.float32)
    exclude.mask(scores)
    return np.isneginf(scores)


def test_two_exclusions_together_exclude_what_either_does():
    rng = np.random.default_rng(0)
    q, n = 6, 30
    times = np.array([1.0, 5, np.nan, 2, 3, 4])

    def made(which):
        parts = {
            "rows": csr_matrix(rng.random((q, n)) < 0.2),
            "ids": rng.random(n) < 0.2,
            "released": rng.random(n) * 6,
            "groups": rng.random((3, n)) < 0.4,
        }
        kept = {name: array for name, array in parts.items() if name in which}
        if "released" in kept:
            kept["times"] = times
        if "groups" in kept:
            kept["group"] = rng.integers(-1, 3, q).astype(np.int32)
        return Exclude(**kept)

    choices = [(), ("rows",), ("ids",), ("released",), ("groups",), ("rows", "ids", "released", "groups")]
    for names in choices:
        for other in choices:
            first, second = made(names), made(other)
            both = first.also(second)
            np.testing.assert_array_equal(dense(both, q, n), dense(first, q, n) | dense(second, q, n))
    with pytest.raises(ValueError, match="different times"):
        made(("released",)).also(Exclude(released=np.zeros(n), times=times + 1))


def test_a_rule_beside_none_is_the_same_object():
    rule, nothing = Exclude(ids=np.array([True, False])), Exclude()
    assert nothing.excludes_nothing
    assert not rule.excludes_nothing
    assert rule.also(nothing) is rule
    assert nothing.also(rule) is rule
