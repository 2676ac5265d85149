"""Slates and truth as TREC files, for trec_eval, ranx, ir_measures and other judges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hybridrec.experiment.folder import Run

if TYPE_CHECKING:
    import polars as pl


def export(run: Run, folder: Path) -> list[Path]:
    """Write `<pipeline>.<target>.run` for all pipelines and `<target>.qrels` into a folder; returns their paths.

    Ids are percent-encoded, because the format separates by blanks. The score of a place is the length of
    the slate minus the places before it: judges sort by score, and so keep the order, ties and all.
    Raises StoreError if the run is damaged.
    """
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    queries, paths = run.queries(), []
    for name, report in run.report.pipelines.items():
        for target in report.candidate_recall:
            slates = run.slates(name, target)
            columns = {
                "query": slates["query"],
                "iteration": pl.lit("Q0"),
                "id": _encoded(slates["id"]),
                "rank": slates["rank"],
                "score": slates["rank"].max() - slates["rank"] + 1,
                "run": pl.lit(name),
            }
            paths.append(_write(columns, folder / f"{name}.{target}.run"))
    for target in next(iter(run.report.pipelines.values())).candidate_recall:
        relevant = queries.select("query", id=f"relevant_{target}").explode("id").drop_nulls()
        columns = {
            "query": relevant["query"], "iteration": pl.lit(0), "id": _encoded(relevant["id"]), "relevant": pl.lit(1),
        }  # fmt: skip
        paths.append(_write(columns, folder / f"{target}.qrels"))
    return paths


def _encoded(ids: pl.Series) -> pl.Series:
    distinct = ids.unique()
    return ids.replace(distinct, [quote(one, safe=":") for one in distinct])


def _write(columns: Mapping[str, Any], path: Path) -> Path:
    import polars as pl

    pl.select(**columns).write_csv(path, separator=" ", include_header=False, quote_style="never")
    return path
