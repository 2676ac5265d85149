"""The benchmark of batches asks the ways for the same recommendations."""

from importlib.util import find_spec

import pytest

from benchmarks import batch, peers
from benchmarks.synthetic import Size


@pytest.mark.skipif(find_spec("implicit") is None, reason="implicit is not installed")
@pytest.mark.filterwarnings("ignore")  # implicit warns of data as small as this
def test_the_ways_are_timed_for_one_model_and_for_a_blend(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(batch, "PLACES", 5)
    alone, blend = (batch._measure(Size(40, 100, 600), models) for models in (batch.ALONE, batch.BLEND))
    assert [*alone.ways] == ["recommend, in memory", "batch, into Parquet", "implicit, its batch call"]
    assert [*blend.ways] == ["recommend, in memory", "batch, into Parquet"]
    assert all(way.wall and min(way.wall) > 0 for work in (alone, blend) for way in work.ways.values())
    assert alone.ratios[0]["what"] == "batch, into Parquet / implicit, its batch call"
