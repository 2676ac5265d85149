"""The split of a run as tables: training part, queries and truth are those of the run, or nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec.runs.export_split import SplitExporter, SplitOptions
from hybridrec.runs.exporter import export
from hybridrec_slates.evaluate import evaluate_slates

PAIRS = [(f"u{user}", f"i{item}") for user in range(30) for item in range(12) if (user * 7 + item * item) % 3]
CONFIG = {
    "name": "pairs",
    "data": {"reader": "table", "interactions": {"path": "pairs.csv", "user": "user", "item": "item", "time": "time"}},
    "split": {"use": "random", "folds": 2},
    "components": {"popularity": {}},
    "pipelines": {"control": {"generators": [{"from": "popularity"}], "fallback": []}},
    "targets": {"items": 5},
    "compare": {"metrics": ["ndcg@5"], "resamples": 100},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with pairs.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    rows = [f"{user},{item},{1_600_000_000 + number}" for number, (user, item) in enumerate(PAIRS)]
    (tmp_path / "pairs.csv").write_text("\n".join(["user,item,time", *rows]), encoding="utf-8")
    return tmp_path


def written(run: hybridrec.Run, folder: Path) -> dict[str, pl.DataFrame]:
    """The exported frames, by the names of their files without the ending."""
    return {path.name.removesuffix(".parquet"): pl.read_parquet(path) for path in export(SplitExporter(), run, folder)}


def test_training_part_and_truth_of_each_fold_are_all_pairs(folder):
    run = hybridrec.run(CONFIG)
    frames = written(run, folder / "split")
    folds = run.queries()["fold"].unique().to_list()
    assert len(folds) == 2
    assert frames.keys() == {*(f"{fold}.train" for fold in folds), "known", "queries", "items.qrels"}
    times = {pair: 1_600_000_000 + number for number, pair in enumerate(PAIRS)}
    visible, qrels = frames["known"], frames["items.qrels"]
    for fold in folds:
        train = frames[f"{fold}.train"]
        assert train.columns == ["user", "item", "time"]
        assert all(times[user, item] == time for user, item, time in train.rows())
        asked = visible.filter(pl.col("fold") == fold)
        hidden = qrels.join(asked, on="query").select("unit", "id").rows()
        shown = train.select("user", "item").rows()
        assert sorted(shown + hidden) == sorted(PAIRS)
        histories = asked.explode("items").drop_nulls("items").select("unit", "items").rows()
        assert set(histories) <= set(shown)
    assert not [name for name in visible.columns if "relevant" in name]
    assert frames["queries"].columns == ["query", "unit", "known-fields"]
    assert frames["queries"].select("query", "unit").equals(visible.select("query", "unit"))


def test_its_queries_give_the_segments_of_the_run(folder):
    run = hybridrec.run(CONFIG)
    written(run, folder / "split")
    run.slates("control").write_parquet("control.parquet")
    again = evaluate_slates(
        {"control": "control.parquet"}, "split/items.qrels.parquet", queries="split/queries.parquet", metrics=["ndcg@5"]
    )
    ours, theirs = run.report.pipelines["control"], again.report.pipelines["control"]
    assert theirs.metrics["ndcg@5"].mean == pytest.approx(ours.metrics["ndcg@5"].mean, abs=1e-12)
    counts, again_counts = ({name: row.queries for name, row in arm.segments.items()} for arm in (ours, theirs))
    assert len(counts) > 1
    assert again_counts.items() >= counts.items()


def test_the_training_part_is_after_k_core(folder):
    def fewest(config: dict, name: str) -> int:
        frames = written(hybridrec.run(config), folder / name)
        return min(frame.group_by("user").len()["len"].min() for key, frame in frames.items() if key.endswith("train"))

    assert fewest(CONFIG, "all") < 4
    assert fewest(CONFIG | {"k_core": {"users": 4}}, "core") >= 4


def test_data_that_changed_is_refused_and_nothing_is_written(folder):
    run = hybridrec.run(CONFIG)
    with (folder / "pairs.csv").open("a", encoding="utf-8") as file:
        file.write("\nu3,i99,1700000000")
    with pytest.raises(hybridrec.DataError, match="the data or its reader has changed since the run"):
        export(SplitExporter(), run, folder / "split")
    assert not (folder / "split").exists()


def test_training_data_that_changed_beside_the_same_queries_is_refused(folder):
    run = hybridrec.run(CONFIG | {"split": {"use": "masked"}})
    asked = set(run.queries()["unit"])
    text = (folder / "pairs.csv").read_text(encoding="utf-8")
    only_training = next(line for line in text.splitlines()[1:] if line.split(",")[0] not in asked)
    (folder / "pairs.csv").write_text(text.replace(f"{only_training}\n", ""), encoding="utf-8")
    given = folder / "given"
    given.mkdir()
    with pytest.raises(hybridrec.DataError, match="the data or its reader has changed since the run"):
        SplitExporter().export(run, given)
    assert not list(given.iterdir())


def test_a_run_on_validation_queries_is_refused(folder):
    run = hybridrec.run(CONFIG, validation=True)
    with pytest.raises(hybridrec.DataError, match="measured on validation queries"):
        export(SplitExporter(), run, folder / "split")


def test_weights_of_queries_are_noted(folder):
    exporter = SplitExporter()
    config = CONFIG | {"split": {"use": "each-position"}}
    export(exporter, hybridrec.run(config), folder / "split")
    assert exporter.notes() == ["the queries of the run have weights, and `hybridrec evaluate` weighs all the same"]
    export(exporter, hybridrec.run(CONFIG), folder / "split")
    assert exporter.notes() == []


class Half(hybridrec.Segmenter):
    """One segment."""

    name = "half"

    def segment(self, queries, data):
        """Return "x" for each query."""
        return np.full(len(queries), "x")


def test_a_class_that_the_run_was_made_with_is_an_option(folder):
    compare = CONFIG["compare"] | {"segments": ["half"]}
    run = hybridrec.run(CONFIG | {"compare": compare}, plugins=[Half])
    with pytest.raises(hybridrec.PluginError, match=r"hand over 'Half' .*, as it was then, with `--plugin FILE.py`"):
        export(SplitExporter(), run, folder / "split")
    paths = export(SplitExporter(SplitOptions(plugins=(Half,))), run, folder / "split")
    assert folder / "split" / "queries.parquet" in paths
