"""Pools and slates: provenance, stacking, the way into arrays and back, and the frame at the edge."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Pool, Slate, Vocabulary
from hybridrec.stages.pipeline import cut

NAN = np.nan


def pool(ids, columns=None, sources=None, **more):
    ids = np.array(ids, np.int32)
    bits = np.where(ids >= 0, 1, 0) if sources is None else np.array(sources)
    values = {label: np.array(column, np.float32) for label, column in (columns or {}).items()}
    return Pool("items", ids, ("a", "b"), bits.astype(np.uint64), values, **more)


def test_provenance_is_read_from_the_bits():
    found = pool([[3, 5, 9, -1]], sources=[[1, 2, 3, 0]])
    assert found.proposed_by("a").tolist() == [[True, False, True, False]]
    assert found.proposed_by("b").tolist() == [[False, True, True, False]]
    with pytest.raises(ValueError, match="not in tuple"):
        found.proposed_by("c")


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


def test_pool_and_slate_come_back_from_arrays():
    before = pool([[1, 2]], {"a": [[0.5, NAN]], "column.b": [[1, 2]]})
    after = Pool.restore("items", before.state())
    assert (after.target, after.generators, list(after.columns)) == ("items", ("a", "b"), ["a", "column.b"])
    np.testing.assert_array_equal(after.columns["a"], before.columns["a"])
    slate = cut(before.ranked(before.columns["a"]), 3)
    again = Slate.restore("items", slate.state())
    assert again.servers == slate.servers
    np.testing.assert_array_equal(again.scores, slate.scores)


def test_the_columns_of_a_pool_keep_their_order_whatever_the_order_of_its_arrays():
    places = {"z": np.ones((1, 2), np.float32), "y": np.ones((1, 2), np.float32)}
    before = pool([[1, 2]], {"z": [[1, 2]], "a": [[3, 4]], "y": [[5, 6]]}, places=places)
    after = Pool.restore("items", dict(sorted(before.state().items())))
    assert (list(after.columns), list(after.places)) == (["z", "a", "y"], ["z", "y"])
    empty = Pool.restore("items", Pool.empty("items", 3).state())
    assert (empty.ids.shape, empty.columns, empty.places) == ((3, 0), {}, {})


def test_cut_orders_by_final_then_by_id_and_keeps_padding_last():
    ranked = pool([[2, 4, 6, 8], [1, -1, -1, -1], [-1] * 4]).ranked(
        np.array([[NAN, 1, 3, 1], [NAN, 5, 5, 5], [5, 5, 5, 5]])
    )
    slate = cut(ranked, 5)
    assert slate.ids.tolist() == [[6, 4, 8, 2, -1], [1, -1, -1, -1, -1], [-1] * 5]
    np.testing.assert_array_equal(slate.scores[0], [3, 1, 1, NAN, NAN])
    assert [slate.servers[served_by] for served_by in slate.served_by] == ["blend", "blend", "none"]
    assert (slate.ids.dtype, slate.scores.dtype, slate.served_by.dtype) == (np.int32, np.float32, np.int8)
    with pytest.raises(ValueError, match="no final score"):
        cut(pool([[1]]), 1)


def slate(ids, served_by, servers):
    array = np.array(ids, np.int32)
    return Slate("items", array, np.where(array < 0, NAN, 1).astype(np.float32), np.array(served_by, np.int8), servers)


def test_stacked_slates_match_servers_by_name():
    both = Slate.stack(
        [slate([[1, 0]], [1], ("none", "blend")), slate([[2, -1], [-1, -1]], [2, 0], ("none", "blend", "tags"))]
    )
    assert [both.servers[served_by] for served_by in both.served_by] == ["blend", "tags", "none"]
    swapped = Slate.stack([slate([[1]], [1], ("none", "x")), slate([[1]], [1], ("none", "y"))])
    assert [swapped.servers[served_by] for served_by in swapped.served_by] == ["x", "y"]


def test_a_frame_has_external_ids_and_ranks_from_one():
    codes = slate([[1, 0], [2, -1], [-1, -1]], [1, 2, 0], ("none", "blend", "tags"))
    with pytest.raises(ValueError, match="holds codes and no vocabulary"):
        codes.to_frame()
    frame = replace(codes, vocabulary=Vocabulary(["나", "b", "🎸"])).to_frame()
    assert frame["id"].to_list() == ["나", "b", "🎸"]
    assert frame["query"].to_list() == [0, 0, 1]
    assert frame["rank"].to_list() == [1, 2, 1]
    assert frame["served_by"].to_list() == ["blend", "blend", "tags"]
