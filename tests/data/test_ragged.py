from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.ragged import Ragged

ROWS = Ragged.from_rows([[3, 1, 3], [], [0]], 5)


def test_groups_and_gains_follow_the_ids_through_every_selection():
    rows, ids = np.array([1, 0, 1, 1], np.int32), np.array([4, 5, 6, 7], np.int32)
    own = {"groups": ids * 10, "gains": ids / 4}  # so that every id shows whether its values came along
    ragged = Ragged.from_columns(rows, ids, (2, 8), **own, positions=np.array([3, 1, 1, 2]))
    assert ragged.ids.tolist() == [5, 6, 7, 4]
    stacked = Ragged.stack([ragged, ragged])
    for picked in (ragged, ragged.take(np.array([1, 0, 1])), ragged.where(ragged.ids != 7), ragged.last(1), stacked):
        assert (picked.groups.dtype, picked.gains.dtype) == (np.int32, np.float32)
        assert picked.groups.tolist() == (picked.ids * 10).tolist()
        assert picked.gains.tolist() == (picked.ids / 4).tolist()
    assert Ragged.stack([ragged, replace(ragged, gains=None)]).gains is None


def test_groups_that_are_all_equal_take_no_memory():
    ragged = replace(ROWS, groups=np.array([-1, 0, -1, -1], np.int32))
    equal, mixed = ragged.where(ragged.groups < 0), ragged.take(np.array([2, 0]))
    assert (equal.groups.tolist(), equal.groups.dtype) == ([-1, -1, -1], np.int32)
    assert equal.groups.strides == (0,)
    assert equal.take(np.array([0])).groups.tolist() == [-1, -1]
    assert mixed.groups.tolist() == [-1, -1, 0, -1]
    assert fingerprint(equal) == fingerprint(replace(equal, groups=np.full(3, -1, np.int32)))
    assert len(ragged.take(np.array([1])).groups) == 0


@pytest.mark.parametrize("timed", [True, False])
def test_rows_are_grouped_as_a_stable_sort_does(timed):
    rng = np.random.default_rng(0)
    rows, ids = rng.integers(20, size=500).astype(np.int32), np.arange(500, dtype=np.int32)
    times = rng.integers(3, size=500) * 1.0 if timed else None  # with ties, which stay in the order of the file
    ragged = Ragged.from_columns(rows, ids, (21, 500), times=times)
    np.testing.assert_array_equal(ragged.ids, np.lexsort((times, rows) if timed else (rows,)))
    np.testing.assert_array_equal(ragged.lengths, np.bincount(rows, minlength=21))


def test_no_groups_stay_none():
    assert Ragged.from_rows([[1, 2], [3]], 4).take(np.array([1])).groups is None


def test_the_matrix_counts_repeats_and_leaves_the_order_alone():
    matrix = ROWS.matrix()
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[0, 1, 0, 2, 0], [0] * 5, [1, 0, 0, 0, 0]]
    assert ROWS.matrix(binary=True).toarray().max() == 1
    weighted = replace(ROWS, weights=np.array([1, 2, 0.5, 4], np.float32))
    assert weighted.matrix().toarray().tolist() == [[0, 2, 0, 1.5, 0], [0] * 5, [4, 0, 0, 0, 0]]
    weighted.matrix(binary=True).data[:] = 9
    assert weighted.weights.tolist() == [1, 2, 0.5, 4]
    assert weighted.ids.tolist() == [3, 1, 3, 0]


def test_selections_of_rows_and_ids():
    assert ROWS.take(np.array([2, 0, 1, 2])).lengths.tolist() == [1, 3, 0, 1]
    assert ROWS.take(np.array([2, 0])).ids.tolist() == [0, 3, 1, 3]
    assert ROWS.take(slice(1, None)).ids.tolist() == [0]
    assert ROWS.take(slice(None, None, -1)).ids.tolist() == [0, 3, 1, 3]
    assert len(ROWS.take(slice(2, 1))) == 0
    assert ROWS.where(ROWS.ids != 3).lengths.tolist() == [1, 0, 1]
    assert ROWS.where(ROWS.ids == 9).lengths.tolist() == [0, 0, 0]
    assert ROWS.last(2).ids.tolist() == [1, 3, 0]
    assert ROWS.last(0).lengths.tolist() == [0, 0, 0]
    assert ROWS.last(9).ids.tolist() == ROWS.ids.tolist()
    assert ROWS.rows.tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize("block", [1, 2, 100])
def test_blocks_are_all_rows_in_order_and_no_copies(block, monkeypatch):
    monkeypatch.setattr("hybridrec.data.ragged.BLOCK", block)
    parts = [ROWS.take(rows) for rows in ROWS.blocks()]
    assert all(np.shares_memory(piece.ids, ROWS.ids) for piece in parts if len(piece.ids))
    whole = Ragged.stack(parts)
    assert (whole.ids.tolist(), whole.offsets.tolist()) == (ROWS.ids.tolist(), ROWS.offsets.tolist())
    assert list(Ragged.empty(0, 3).blocks()) == []


def test_the_order_of_a_row_is_positions_before_times_before_the_given():
    rows, ids = np.array([0, 0, 0], np.int32), np.array([1, 2, 3], np.int32)
    times, positions = np.array([3.0, 1.0, 2.0]), np.array([2, 3, 1])

    def ordered(**more):
        return Ragged.from_columns(rows, ids, (1, 4), **more).ids.tolist()

    assert (ordered(), ordered(times=times), ordered(times=times, positions=positions)) == (
        [1, 2, 3],
        [2, 3, 1],
        [3, 1, 2],
    )


def test_the_latest_time_of_each_row():
    assert ROWS.latest() is None
    timed = replace(ROWS, times=np.array([5.0, np.nan, 7.0, np.nan]))
    np.testing.assert_array_equal(timed.latest(), [7, np.nan, np.nan])
    assert len(replace(Ragged.empty(0, 3), times=np.empty(0)).latest()) == 0


def test_stack_keeps_what_all_parts_have():
    timed = replace(ROWS, times=np.arange(4.0))
    assert Ragged.stack([timed, timed]).times.tolist() == [0, 1, 2, 3] * 2
    assert Ragged.stack([timed, ROWS]).times is None
    both = Ragged.stack([ROWS, Ragged.empty(2, 5), ROWS])
    assert both.lengths.tolist() == [3, 0, 1, 0, 0, 3, 0, 1]
    assert both.offsets.dtype == np.int64


def test_rows_are_extended_by_the_ids_of_the_same_row():
    first = Ragged.from_rows([[3, 1], [], [2]], 5)
    more = Ragged.from_rows([[4], [0, 3], []], 5)
    assert [row.tolist() for row in rows_of(first.extended(more))] == [[3, 1, 4], [0, 3], [2]]
    timed = replace(more, times=np.array([7.0, 8.0, 9.0]))
    longer = first.extended(timed)
    np.testing.assert_array_equal(longer.times, [np.nan, np.nan, 7, 8, 9, np.nan])
    weighted = replace(first, weights=np.array([2, 3, 4], np.float32)).extended(timed)
    np.testing.assert_array_equal(weighted.weights, np.array([2, 3, 1, 1, 1, 4], np.float32))
    assert first.extended(more).times is None
    assert first.extended(more).weights is None


def rows_of(ragged):
    return [ragged.ids[start:end] for start, end in pairwise(ragged.offsets)]
