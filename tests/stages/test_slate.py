"""Slates: stacking by the names of servers, the way into arrays and back, and the frame at the edge."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Ragged, Slate, Vocabulary
from tests.stages.builders import NAN, slate


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


def test_a_slate_comes_back_from_arrays():
    before = slate([[1, 0], [2, -1]], [1, 2], ("none", "blend", "태그"))
    again = Slate.restore("tags", before.state())
    assert (again.target, again.servers, len(again)) == ("tags", before.servers, 2)
    for name in ("ids", "scores", "served_by"):
        np.testing.assert_array_equal(getattr(again, name), getattr(before, name))


def test_some_slates_keep_their_servers_and_vocabulary():
    whole = replace(slate([[1, 0], [0, -1]], [1, 2], ("none", "a", "b")), vocabulary=Vocabulary(["x", "y"]))
    second = whole.take(slice(1, 2))
    np.testing.assert_array_equal(second.scores, np.array([[1, NAN]], np.float32))
    assert second.to_frame().rows() == [(0, 1, "x", 1.0, "b")]
    both = Slate.stack([second, second])
    assert both.to_frame()["query"].to_list() == [0, 1]


def test_other_ids_come_first_and_push_the_last_ones_out():
    before = slate([[3, 1, 0], [2, -1, -1], [-1, -1, -1], [4, 5, 6]], [1, 1, 0, 1], ("none", "blend"))
    before = replace(before, extras={"propensity": before.scores / 2})
    first = Ragged.from_rows([[7, 5], [6], [8], []], 9)
    after = before.behind(first)
    assert after.ids.tolist() == [[7, 5, 3], [6, 2, -1], [8, -1, -1], [4, 5, 6]]
    expected = np.array([[NAN, NAN, 1], [NAN, 1, NAN], [NAN] * 3, [1, 1, 1]], np.float32)
    np.testing.assert_array_equal(after.scores, expected)
    np.testing.assert_array_equal(after.extras["propensity"], expected / 2)
    assert (after.ids.dtype, after.scores.dtype) == (np.int32, np.float32)
    assert before.take(slice(0, 1)).behind(Ragged.from_rows([[8, 7, 6, 5]], 9)).ids.tolist() == [[8, 7, 6]]


def test_a_slate_without_recommendations_is_a_frame_without_rows():
    nobody = replace(slate([[-1, -1]], [0], ("none",)), vocabulary=Vocabulary())
    assert nobody.to_frame().shape == (0, 5)
    assert nobody.to_frame().columns == ["query", "rank", "id", "score", "served_by"]
