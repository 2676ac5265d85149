"""Runs in comparison with the first of them: paired by query, or left out with the reason."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.runs.compare import compare_runs, run_names
from hybridrec.runs.manifest import replace_file


def test_compare_knows_codes_from_ids(experiment):
    """The same queries in codes are other queries where the items have other names."""
    first, second = (hybridrec.run(experiment()).folder for _ in range(2))
    names = pl.read_parquet(second / "names.parquet")
    replace_file(second, "names.parquet", names.with_columns(pl.col("id") + "!").write_parquet)
    with pytest.raises(DataError, match="its queries are the same, the items it recommends from are not"):
        compare_runs([first, second])


@pytest.fixture
def runs(experiment):
    """Two runs that answered the same queries with another weight."""
    return [hybridrec.run(experiment(("pop: 0.2", f"pop: {weight}"))) for weight in (0.2, 5)]


def test_differences_are_those_of_the_means_over_the_same_queries(runs):
    first, second = runs
    compared = compare_runs([first.folder, second.folder], metrics=["ndcg@5"])
    arms = {(row.control, row.variant): row for row in compared.rows if row.segment == "all"}
    assert {control for control, _ in arms} == {"pop=0.2:hybrid"}
    assert {variant for _, variant in arms} == {
        "pop=0.2:control", "pop=5.0:control", "pop=5.0:hybrid",
    }  # fmt: skip
    means = [run.report.pipelines["hybrid"].metrics["ndcg@5"].mean for run in runs]
    row = arms["pop=0.2:hybrid", "pop=5.0:hybrid"]
    assert row.delta == pytest.approx(means[1] - means[0])
    assert row.delta != 0


def test_what_is_not_in_the_runs_is_named(runs):
    folders = [run.folder for run in runs]
    with pytest.raises(ConfigError, match="has no pipeline 'contrl': did you mean 'control'"):
        compare_runs(folders, control="contrl")
    with pytest.raises(ConfigError, match="do not all have the metric 'ndcg@9': did you mean 'ndcg@5'"):
        compare_runs(folders, metrics=["ndcg@9"])


def test_a_run_that_cannot_be_read_is_left_out_with_the_reason(runs):
    Path("nothing").mkdir()
    compared = compare_runs([runs[0].folder, "nothing", runs[1].folder])
    (reason,) = compared.left_out
    assert reason.startswith("nothing is not a run")
    assert "pop=5.0:hybrid" in {row.variant for row in compared.rows}


@dataclass
class Named:
    """The folder and config of a run."""

    folder: Path
    config: str


@pytest.mark.parametrize(("configs", "names"), [
    (["a: {l2: 1}", "a: {l2: 2}"], ["l2=1", "l2=2"]),
    (["a: {l2: 1}\nb: {l2: 1}", "a: {l2: 2}\nb: {l2: 1}", "a: {l2: 1}\nb: {l2: 3}"],
     ["a.l2=1, b.l2=1", "a.l2=2, b.l2=1", "a.l2=1, b.l2=3"]),
    (["name: x\na: 1", "name: y\na: 1"], ["run0", "run1"]),
    (["name: x\na: 1", "name: y\na: '2'"], ["a=1", "a=2"]),
    (["a: 1", "a: 1"], ["run0", "run1"]),
    (["a: 1", "a: 1", "a: 2"], ["run0", "run1", "a=2"]),
    (["a: 1", "b: 2"], ["a=1", "b=2"]),
    (["x: 1", "{a: 1, b: 2, c: 3, x: 1}"], ["run0", "a=1, b=2 +1 more"]),
])  # fmt: skip
def test_runs_are_named_by_the_values_that_differ(configs, names):
    assert run_names([Named(Path(f"runs/run{n}"), config) for n, config in enumerate(configs)]) == names


def test_equal_runs_in_folders_of_one_name_are_named_by_their_paths():
    assert run_names([Named(Path(f"{n}/run"), "a: 1") for n in range(2)]) == ["0/run", "1/run"]
