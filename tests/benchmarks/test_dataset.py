"""The benchmark of datasets: plays that are written once, read in blocks and at once, and what each takes."""

import polars as pl
import pytest

from benchmarks import dataset, peers, synthetic
from benchmarks.synthetic import Size


def test_plays_are_written_once_in_the_order_of_their_times(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "PIECE", 400)
    folder = synthetic.write_plays(Size(50, 20, 1_000), tmp_path, text=True)
    plays = pl.read_parquet(folder)
    assert (len(plays), plays["user"].n_unique(), plays["item"].n_unique()) == (1_000, 50, 20)
    assert plays["user"][0] == "u1000"
    assert len([*folder.iterdir()]) == 3
    monkeypatch.setattr(synthetic.np.random, "default_rng", lambda seed: pytest.fail("written again"))
    assert synthetic.write_plays(Size(50, 20, 1_000), tmp_path, text=True) == folder
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_both_ways_read_the_same_dataset_and_tell_their_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    work = dataset.both(5_000, text=True, quick=True)
    assert list(work.ways) == ["in blocks", "at once"]
    for way in work.ways.values():
        assert way.facts["private memory at the peak, MB"] > 10


@pytest.mark.slow
def test_all_sizes_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    works = dataset.dataset(quick=True)
    assert [way for work in works for way in work.ways] == [
        *["in blocks", "at once"] * 2,
        "in blocks",
        "Arrow",
        "a Python object each",
    ]
    minutes, memory = works[2].ratios
    assert (minutes["what"], memory["what"]) == ("minutes", "private memory at the peak, GB")
    assert memory["value"] < 3


def test_packing_through_arrow_makes_the_same_bytes():
    work = dataset.packing(1_000)
    assert {note["what"]: note["value"] for note in work.ratios}["bytes for each id, packed"] == 16


def test_too_little_disk_is_told_with_both_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr("sys.argv", ["dataset", "--plays", "1000000000000"])
    with pytest.raises(SystemExit) as ended:
        dataset.main()
    assert ended.value.code == 2
    assert "1,000,000,000,000 plays take 42000.0 GB on disk, and" in capsys.readouterr().err
