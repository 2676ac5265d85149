"""Unions of candidate lists, against sets."""

import numpy as np
import pytest

from hybridrec.stages import kernels
from tests.stages.kernels.naive import INF, NAN


def random_list(rng, queries, width, n):
    """Each id once a row, rows of different lengths, one of them empty."""
    ids = np.argsort(rng.random((queries, n)), axis=1)[:, :width].astype(np.int32)
    scores = rng.standard_normal((queries, width)).astype(np.float32)
    padding = np.arange(width) >= rng.integers(0, width + 1, queries)[:, None]
    padding[:1] = True
    ids[padding], scores[padding] = -1, NAN
    return ids, scores


@pytest.mark.parametrize(("queries", "lists", "width"), [(20, 1, 6), (20, 4, 8), (5, 64, 3), (20, 3, 15), (0, 2, 4)])
def test_merge_is_the_union_with_provenance(queries, lists, width):
    rng = np.random.default_rng(lists)
    parts = [random_list(rng, queries, width, 15) for _ in range(lists)]
    ids, sources, columns, ranks = kernels.merge(parts)
    arrays = (ids, sources, *columns, *ranks)
    assert [array.dtype for array in arrays] == [np.int32, np.uint64] + [np.float32] * (2 * lists)
    assert {array.shape for array in arrays} == {ids.shape}
    assert all(array.flags.c_contiguous for array in arrays)
    unions = [sorted({int(i) for list_ids, _ in parts for i in list_ids[q]} - {-1}) for q in range(queries)]
    assert ids.shape[1] == max(map(len, unions), default=0)
    for q, union in enumerate(unions):
        assert ids[q].tolist() == union + [-1] * (ids.shape[1] - len(union))
        for place, i in enumerate(ids[q]):
            held = [i != -1 and i in list_ids[q] for list_ids, _ in parts]
            assert int(sources[q, place]) == sum(1 << g for g, holds in enumerate(held) if holds)
            scores = [
                part_scores[q][list_ids[q] == i][0] if h else NAN
                for (list_ids, part_scores), h in zip(parts, held, strict=True)
            ]
            np.testing.assert_array_equal([column[q, place] for column in columns], np.array(scores, np.float32))
            rows = [list_ids[q].tolist() for list_ids, _ in parts]
            listed = [row.index(i) + 1 if h else INF for row, h in zip(rows, held, strict=True)]
            assert [rank[q, place] for rank in ranks] == listed


@pytest.mark.parametrize(("queries", "width"), [(1, 10), (7, 40), (3, 1)])
def test_a_full_list_alone_is_merged_as_beside_an_empty_one(queries, width):
    rng = np.random.default_rng(queries)
    ids = np.argsort(rng.random((queries, 60)), axis=1)[:, :width].astype(np.int32)
    full = ids, rng.standard_normal((queries, width)).astype(np.float32)
    nothing = np.full((queries, 2), -1, np.int32), np.full((queries, 2), NAN, np.float32)
    alone, beside = kernels.merge([full]), kernels.merge([full, nothing])
    for mine, other in zip((*alone[:2], *alone[2], *alone[3]), (*beside[:2], beside[2][0], beside[3][0]), strict=True):
        np.testing.assert_array_equal(mine, other)
        assert (mine.dtype, mine.flags.c_contiguous) == (other.dtype, True)


def test_merge_of_lists_that_say_nothing_is_empty():
    nothing = np.full((3, 4), -1, np.int32), np.full((3, 4), NAN, np.float32)
    no_width = np.empty((3, 0), np.int32), np.empty((3, 0), np.float32)
    for lists in ([nothing], [no_width], [nothing, no_width, nothing]):
        ids, sources, columns, ranks = kernels.merge(lists)
        assert ids.shape == sources.shape == (3, 0)
        assert [array.shape for array in (*columns, *ranks)] == [(3, 0)] * (2 * len(lists))


def test_merge_takes_ids_too_large_for_short_keys():
    lists = [(np.array([[2**31 - 1, 5]], np.int32), np.ones((1, 2), np.float32)) for _ in range(2)]
    ids, sources, _, ranks = kernels.merge([*lists, (np.array([[-1, -1]], np.int32), np.full((1, 2), NAN, np.float32))])
    assert (ids.tolist(), sources.tolist()) == ([[5, 2**31 - 1]], [[3, 3]])
    assert [rank.tolist() for rank in ranks] == [[[2, 1]], [[2, 1]], [[INF, INF]]]


@pytest.mark.parametrize("lists", [0, 65])
def test_merge_says_how_many_lists_it_takes(lists):
    single = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match=f"1 to 64 candidate lists, not from {lists}"):
        kernels.merge([single] * lists)
