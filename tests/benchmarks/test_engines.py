"""The benchmark of engines asks them for the same slates, and says where they are not the same."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import engines, peers
from benchmarks.batch import ALONE, BLEND
from benchmarks.engines import Slates
from benchmarks.synthetic import Size
from hybridrec import Tables, assemble

LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells the memory of processes")
DATA = assemble(Tables(pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})))


def figures(work):
    return {ratio["what"]: ratio["value"] for ratio in work.ratios}


@LINUX
@pytest.mark.skipif(find_spec("implicit") is None, reason="implicit is not installed")
@pytest.mark.filterwarnings("ignore")  # implicit warns of data as small as this
def test_a_loop_gives_what_recommend_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(peers, "spark", lambda: None)
    monkeypatch.setattr(engines, "ROWS", 40)  # several record batches, and several files
    monkeypatch.setattr(engines, "BATCHES", 2)
    work = engines.slates_of(Size(150, 300, 3_000), BLEND, [1, 2], [1])
    assert work.units == 150
    assert [*work.ways] == ["a loop in one process", "loops in 2 processes"]
    assert work.ways["a loop in one process"].facts["users a CPU second"] > 0
    assert "places with another item of the same score than `recommend`: a loop in one process" in figures(work)
    assert figures(work)["places that differ from those of the loop: loops in 2 processes"] == 0


@LINUX
@pytest.mark.slow
@pytest.mark.skipif(find_spec("implicit") is None, reason="implicit is not installed")
@pytest.mark.filterwarnings("ignore")
def test_spark_gives_what_the_loop_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    if peers.spark() is None:
        pytest.skip("neither Spark nor Java is part of the dependencies")
    work = engines.slates_of(Size(2_000, 2_000, 40_000), ALONE, [1], [2], starts=False)
    (spark,) = [way for way in work.ways if way.startswith("Spark")]
    assert figures(work)[f"places that differ from those of the loop: {spark}"] == 0


def slates(rows, tmp_path):
    pl.DataFrame(rows, {"query": str, "place": pl.Int32, "id": str, "score": pl.Float32}, orient="row").write_parquet(
        tmp_path / "part.parquet"
    )
    return Slates.read([tmp_path / "part.parquet"], DATA)


ROWS = [("b", 1, "x", 1.0), ("a", 1, "y", 2.0), ("a", 2, "x", 2.0)]


def test_slates_are_read_in_any_order(tmp_path):
    given, turned = slates(ROWS, tmp_path), slates(ROWS[::-1], tmp_path)
    assert given.differs(turned) == 0
    assert given.swapped(turned) == 0
    assert given.ids[:, :3].tolist() == [[1, 0, -1], [0, -1, -1]]


def test_each_place_that_differs_is_counted(tmp_path):
    given = slates(ROWS, tmp_path)
    tied = slates([ROWS[0], ("a", 1, "x", 2.0), ("a", 2, "y", 2.0)], tmp_path)
    assert given.differs(tied) == 2
    assert given.swapped(tied) == 2
    last_bit = slates([("b", 1, "x", np.nextafter(np.float32(1), np.float32(2))), *ROWS[1:]], tmp_path)
    assert given.differs(last_bit) == 1
    assert given.swapped(last_bit) == 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([*ROWS, ROWS[0]], "twice"),
        (ROWS[:2], "other places are empty"),
        ([("b", 1, "y", 1.0), *ROWS[1:]], "query 1, place 0"),
        ([("b", 1, "x", 1.5), *ROWS[1:]], "other scores"),
    ],
)
def test_other_slates_are_refused(rows, says, tmp_path):
    with pytest.raises(AssertionError, match=says):
        slates(rows, tmp_path).swapped(slates(ROWS, tmp_path))


def test_spark_that_is_not_there_is_told(monkeypatch, capsys):
    monkeypatch.setenv("HYBRIDREC_SPARK", "")
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert peers.spark() is None
    assert "no pyspark (or HYBRIDREC_SPARK) and no java" in capsys.readouterr().out
