"""TREC files say what the run says."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pytest

import hybridrec
from hybridrec.runs.export_trec import ParquetExporter, TrecExporter
from hybridrec.runs.exporter import export


def lines(path: Path) -> list[list[str]]:
    return [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]


def test_runs_and_qrels_give_the_metric_of_the_report(experiment):
    run = hybridrec.run(experiment(("[ndcg@5, tags/ndcg@5]", "[hit-rate@5, tags/hit-rate@5]")))
    paths = export(TrecExporter(), run, run.folder / "trec")
    assert {path.name for path in paths} == {path.name for path in (run.folder / "trec").iterdir()} == {
        "items.qrels", "tags.qrels",
        *(f"{name}.{target}.run" for name in ("control", "hybrid") for target in ("items", "tags")),
    }  # fmt: skip
    measured = run.per_query().filter(pl.col("pipeline") == "hybrid")
    for target, metric in (("items", "hit-rate@5"), ("tags", "tags/hit-rate@5")):
        relevant = {
            (int(q), unquote(item)) for q, _, item, grade in lines(run.folder / f"trec/{target}.qrels") if grade == "1"
        }
        ranked = lines(run.folder / f"trec/hybrid.{target}.run")
        assert all(len(row) == 6 and row[1] == "Q0" and row[5] == "hybrid" for row in ranked)
        first = max(int(score) for *_, score, _ in ranked)
        best = [(int(q), unquote(item)) for q, _, item, _, score, _ in ranked if int(score) > first - 5]
        hits = {place[0] for place in best if place in relevant}
        defined = measured.drop_nans(metric)
        assert defined[metric].to_list() == [float(query in hits) for query in defined["query"]]


def test_parquet_holds_the_same_in_plain_ids_and_qrels_are_the_truth(experiment):
    run = hybridrec.run(experiment())
    trec, parquet = (export(made(), run, run.folder / made.name) for made in (TrecExporter, ParquetExporter))
    assert [f"{path.name}.parquet" for path in trec] == [path.name for path in parquet]
    for target in ("items", "tags"):
        qrels = pl.read_parquet(run.folder / f"parquet/{target}.qrels.parquet")
        truth = run.queries().select("query", id=f"relevant_{target}").explode("id").drop_nulls()
        assert qrels.columns == ["query", "id", "relevant"]
        assert qrels.select("query", "id").equals(truth)
        assert qrels["relevant"].unique().to_list() == [1]
        written = [(int(q), unquote(item)) for q, _, item, _ in lines(run.folder / f"trec/{target}.qrels")]
        assert written == truth.rows()
        slates = pl.read_parquet(run.folder / f"parquet/hybrid.{target}.run.parquet")
        assert slates.drop("run").equals(run.slates("hybrid", target).select("query", "id", "rank", "score"))
        assert slates["run"].unique().to_list() == ["hybrid"]
        places = [(int(q), unquote(item), int(rank)) for q, _, item, rank, *_ in
                  lines(run.folder / f"trec/hybrid.{target}.run")]  # fmt: skip
        assert places == slates.select("query", "id", "rank").rows()


def test_a_damaged_run_is_named(experiment):
    run = hybridrec.run(experiment())
    (run.folder / "queries.parquet").unlink()
    with pytest.raises(hybridrec.StoreError, match=r"queries.parquet cannot be read"):
        export(TrecExporter(), run, run.folder / "trec")
