"""The benchmark of batches asks the ways for the same recommendations."""

from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

from benchmarks import batch, peers
from benchmarks.synthetic import Size
from hybridrec import PADDING, Tables, assemble


@pytest.mark.skipif(find_spec("implicit") is None, reason="implicit is not installed")
@pytest.mark.filterwarnings("ignore")  # implicit warns of data as small as this
def test_the_ways_are_timed_for_one_model_and_for_a_blend(tmp_path, monkeypatch, capsys):
    def unavailable(*_):
        raise peers.UnavailableError("it cannot be installed")

    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(batch, "_rectools", unavailable)
    monkeypatch.setattr(batch, "PLACES", 5)
    alone, blend = (batch._measure(Size(40, 100, 600), models) for models in (batch.ALONE, batch.BLEND))
    assert [*alone.ways] == ["recommend, in memory", "batch, into Parquet", "implicit, its batch call"]
    assert [*blend.ways] == ["recommend, in memory", "batch, into Parquet"]
    assert all(way.wall and min(way.wall) > 0 for work in (alone, blend) for way in work.ways.values())
    assert alone.ratios[0]["what"] == "batch, into Parquet / implicit, its batch call"
    assert capsys.readouterr().out == "RecTools is left out: it cannot be installed\n"


def swapped(ids, scores, served=(0, 1, 2), sums=(3.0, 2.0, 2.0)):
    """Return the places of a part with these ids and scores that differ from one slate in memory."""
    data = assemble(Tables(pl.DataFrame({"user": ["u"] * 6, "item": [f"i{n}" for n in range(6)]})))
    written = pl.DataFrame({"id": ids, "score": pl.Series(scores, dtype=pl.Float32)})
    return batch._swapped(written, np.array([served], np.int32), np.array([sums], np.float32), data)


def test_items_may_change_places_where_their_scores_are_alike():
    assert swapped(["i0", "i1", "i2"], [3, 2, 2]) == 0
    assert swapped(["i0", "i2", "i1"], [3, 2, 2]) == 2
    assert swapped(["i0", "i1", "i5"], [3, 2, 2]) == 1  # tied with the last place


@pytest.mark.parametrize(
    ("ids", "scores", "slate", "says"),
    [
        (["i5", "i5", "i5"], [3, 2, 2], {}, "slates in parts hold an item twice"),
        (["i5", "i1", "i2"], [3, 2, 2], {}, "query 0, place 0: parts hold item 5, memory has 0"),
        (["i1", "i0", "i2"], [3, 2, 2], {}, "query 0, place 0: parts hold item 1"),
        (["i0", "i1", "i2"], [3, 2, 1], {}, "other scores"),
        (["i0", "i1"], [3, 2], {}, "parts have 2 places, slates in memory 3"),
        (["i0", "i5"], [3, 2], {"served": (0, 1, PADDING)}, "query 0, place 1: parts hold item 5"),
        (["i0", "i1", "i2"], [3, 2, 2], {"served": (0, 1, 1)}, "slates in memory hold an item twice"),
    ],
)
def test_wrong_items_are_refused_though_their_scores_are_right(ids, scores, slate, says):
    with pytest.raises(AssertionError, match=says):
        swapped(ids, scores, **slate)
