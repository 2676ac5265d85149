"""Pools: provenance, stacking, ranks, and the way into arrays and back."""

import numpy as np
import pytest

from hybridrec import PluginError, Pool
from tests.stages.builders import NAN, pool


def test_provenance_is_read_from_the_bits():
    proposals = pool([[3, 5, 9, -1]], sources=[[1, 2, 3, 0]])
    assert proposals.proposed_by("a").tolist() == [[True, False, True, False]]
    assert proposals.proposed_by("b").tolist() == [[False, True, True, False]]
    with pytest.raises(ValueError, match="not in tuple"):
        proposals.proposed_by("c")


def test_ranked_leaves_no_score_at_padding():
    final = pool([[3, -1]]).ranked(np.array([[1.0, 9.0]])).final
    assert final.dtype == np.float32
    np.testing.assert_array_equal(final, np.array([[1, NAN]], np.float32))


def test_ranked_copies_only_what_has_a_score_at_padding():
    left = pool([[3, 5, -1]])
    ready, raw = np.array([[1, 2, NAN]], np.float32), np.array([[1, 2, 9]], np.float32)
    assert np.shares_memory(left.ranked(ready).final, ready)
    np.testing.assert_array_equal(left.ranked(raw).final, ready)
    assert raw.tolist() == [[1, 2, 9]]


def test_ranks_are_the_places_in_the_list_or_those_of_the_scores():
    places = {"a": np.array([[2, 1, np.inf]], np.float32)}
    ranked = pool([[3, 5, -1]], {"a": [[4, 4, NAN]], "b": [[NAN, 7, NAN]]}, places=places)
    assert ranked.ranks("a").tolist() == [[2, 1, np.inf]]
    assert ranked.ranks("b").tolist() == [[np.inf, 1, np.inf]]
    for same in (ranked.take(np.array([0])), Pool.restore("items", ranked.state()), Pool.stack([ranked])):
        assert same.ranks("a").tolist() == [[2, 1, np.inf]]
    assert Pool.stack([ranked, ranked.take(np.array([False]))]).ranks("a").tolist() == [[2, 1, np.inf]]


def test_pools_of_different_width_are_stacked():
    left, right = pool([[1, 2]], {"a": [[0.5, NAN]]}), pool([[4], [-1]], {"a": [[2], [NAN]]})
    both = Pool.stack([left, right])
    assert both.ids.tolist() == [[1, 2], [4, -1], [-1, -1]]
    assert both.sources.tolist() == [[1, 1], [1, 0], [0, 0]]
    np.testing.assert_array_equal(both.columns["a"], [[0.5, NAN], [2, NAN], [NAN, NAN]])
    assert (both.ids.dtype, both.sources.dtype, both.columns["a"].dtype) == (np.int32, np.uint64, np.float32)


def test_a_pool_comes_back_from_arrays():
    before = pool([[1, 2]], {"a": [[0.5, NAN]], "column.b": [[1, 2]]})
    after = Pool.restore("items", before.state())
    assert (after.target, after.generators, list(after.columns)) == ("items", ("a", "b"), ["a", "column.b"])
    np.testing.assert_array_equal(after.columns["a"], before.columns["a"])


def test_the_columns_of_a_pool_keep_their_order_whatever_the_order_of_its_arrays():
    places = {"z": np.ones((1, 2), np.float32), "y": np.ones((1, 2), np.float32)}
    before = pool([[1, 2]], {"z": [[1, 2]], "a": [[3, 4]], "y": [[5, 6]]}, places=places)
    after = Pool.restore("items", dict(sorted(before.state().items())))
    assert (list(after.columns), list(after.places)) == (["z", "a", "y"], ["z", "y"])
    empty = Pool.restore("items", Pool.empty("items", 3).state())
    assert (empty.ids.shape, empty.columns, empty.places) == ((3, 0), {}, {})


def test_the_order_so_far_is_the_final_score_or_the_only_column():
    alone, several = pool([[3, 5]], {"a": [[1, NAN]]}), pool([[3, 5]], {"a": [[1, NAN]], "b": [[2, 3]]})
    np.testing.assert_array_equal(alone.fused(), [[1, NAN]])
    np.testing.assert_array_equal(several.ranked(np.array([[7, 8]])).fused(), [[7, 8]])
    assert Pool.empty("items", 2).fused().shape == (2, 0)


@pytest.mark.parametrize(("columns", "named"), [({"a": [[1, 2]], "b": [[2, 3]]}, "a, b"), ({}, r"\(none\)")])
def test_columns_that_nothing_fused_have_no_order(columns, named):
    with pytest.raises(PluginError, match=f"but the columns {named}: put a fusion before it"):
        pool([[3, 5]], columns).fused()


def test_an_order_is_no_score_and_keeps_the_scores_of_before():
    fused = pool([[3, 5]], {"a": [[1, 2]], "b": [[2, 3]]}).ranked(np.array([[0.7, 0.9]]))
    moved = fused.reordered(np.array([[0, -1]]))
    np.testing.assert_allclose(moved.scores, [[0.7, 0.9]])
    np.testing.assert_allclose(moved.reordered(np.array([[-1, 0]])).scores, [[0.7, 0.9]])
    np.testing.assert_allclose(moved.take(np.array([0])).scores, [[0.7, 0.9]])
    assert moved.ranked(np.array([[5, 6]])).scores is None
    assert fused.cached("x", None, lambda: 1) == moved.cached("x", None, lambda: 2) == 1
    alone = pool([[3, 5]], {"a": [[1, NAN]]}).reordered(np.array([[-1, 0]]))
    np.testing.assert_array_equal(alone.scores, [[1, NAN]])
