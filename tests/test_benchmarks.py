"""The benchmarks run, and say what they found; figures are nobody's business here."""

import json

import numpy as np
import polars as pl
import pytest

from benchmarks import __main__, synthetic
from benchmarks.page import table
from benchmarks.timing import Way, Work


def test_a_benchmark_writes_its_result_and_prints_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "mmr", "--quick", "--results", str(tmp_path)])
    __main__.main()
    (work,) = json.loads((tmp_path / "mmr.json").read_text())["works"]
    assert {"hybridrec", "plain Python", "numpy for one user at a time"} == work["ways"].keys()
    assert "| plain Python / hybridrec |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["engines", "--size", "people=3"], "'people=3' is no NAME=N; right is, say, users=1000"),
        (["engines", "--size", "users=many"], "'users=many' is no NAME=N"),
        (["mmr", "--size", "users=3"], "--size is for `engines` alone"),
        (["engines", "--quick", "--size", "users=3"], "and not with --quick"),
    ],
)
def test_a_size_that_would_mean_nothing_is_refused(words, says, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    with pytest.raises(SystemExit):
        __main__.main()
    assert says in capsys.readouterr().err


def test_ratios_are_medians_over_repetitions():
    work = Work("w", "query", 10, {"a": Way([4.0, 9.0, 2.0], [1, 1, 1]), "b": Way([2.0, 1.0, 2.0], [1, 2, 4])})
    work.ratio("a", "b", "≥ 2")
    assert work.ratios == [{"what": "a / b", "value": 2.0, "wanted": "≥ 2", "cpu": 0.5}]
    assert "| a / b | 2 | 0.5 | ≥ 2 |" in table([work.as_json()])


def test_a_table_of_cpu_time_has_no_column_of_wall_time():
    work = Work("w", "query", 10, {"a": Way([4.0], [1.0], {"share, ms": 2.0})}, "CPU")
    assert table([work.as_json()]).splitlines()[2:] == [
        "| way | CPU for each query | |",
        "| --- | --- | --- |",
        "| a | 100 ms | share, ms 2 |",
    ]


def test_synthetic_pairs_are_distinct_and_popularity_is_skewed(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "PIECE", 4_000)  # several pieces
    size = synthetic.Size(500, 300, 10_000)
    pairs = pl.read_parquet(synthetic.write(size, tmp_path) / "pairs.parquet")
    assert not pairs.select("user", "item").is_duplicated().any()
    assert pairs["user"].n_unique() == 500
    assert 0.7 < len(pairs) / 10_000 < 1.3
    counts = pairs["item"].value_counts(sort=True)["count"].to_numpy()
    assert counts[:30].sum() > 2.5 * counts.sum() / 10
    assert np.isclose((pairs["fold"] == 0).mean(), 0.2, atol=0.03)
