"""Slates as the results file of the Melon challenge: exactly 100 songs and 10 tags for each playlist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec.arrays import Target
from hybridrec.errors import DataError
from hybridrec.experiment.folder import Run

if TYPE_CHECKING:
    import polars as pl

WANTED: dict[str, tuple[Target, int]] = {"songs": ("items", 100), "tags": ("tags", 10)}
"""Key in the file: the target it is about, and how many there have to be."""


def export(run: Run, folder: Path) -> list[Path]:
    """Write `<pipeline>.json` for all pipelines into a folder; returns their paths.

    A slate that is too short is filled up with what the queries show most often and its own does not.
    Raises DataError if a playlist is asked twice, a target is missing, too little is known to fill up with,
    or ids are no whole numbers, as those of Melon are.
    """
    import polars as pl

    queries = run.queries()
    if queries["unit"].is_duplicated().any():
        raise DataError(f"{run.folder} asks a playlist more than once; the file has one answer for each")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, report in run.report.pipelines.items():
        answers = {"id": _numbers(queries["unit"], run)}
        for key, (target, count) in WANTED.items():
            if target not in report.candidate_recall:
                raise DataError(f"{run.folder}: '{name}' recommends no {target}; `targets` has to list both")
            answers[key] = _filled(run.slates(name, target), queries.select("query", known=target), count)
            if (answers[key].list.len() < count).any():
                raise DataError(f"{run.folder}: '{name}' has no {count} {key} for each playlist, even when filled up")
        answers["songs"] = _numbers(answers["songs"].explode(), run).reshape((-1, WANTED["songs"][1]))
        path = folder / f"{name}.json"
        path.write_text(json.dumps(pl.DataFrame(answers).to_dicts(), ensure_ascii=False), encoding="utf-8")
        paths.append(path)
    return paths


def _filled(slates: pl.DataFrame, queries: pl.DataFrame, count: int) -> pl.Series:
    """For each query the first `count` ids of its slate, and popular ones after the last."""
    import polars as pl

    slates = slates.select(pl.col("query").cast(pl.Int64), "id", place=pl.col("rank").cast(pl.Int64))
    known = queries.select(pl.col("query").cast(pl.Int64), id="known").explode("id").drop_nulls()
    most = count + int(queries["known"].list.len().to_numpy().max(initial=0))
    popular = known.group_by("id").len().sort("len", "id", descending=[True, False]).head(most)
    popular = popular.select("id", place=pl.int_range(pl.len(), dtype=pl.Int64) + slates["place"].max() + 1)
    lengths = slates.group_by("query").len().filter(pl.col("len") >= count)
    short = queries.select(pl.col("query").cast(pl.Int64)).join(lengths, on="query", how="anti")
    # Behind the slate of each short query, all that is popular, without what it shows or has already.
    more = short.join(popular, how="cross").join(known, on=["query", "id"], how="anti")
    more = more.join(slates, on=["query", "id"], how="anti")
    rows = pl.concat([slates, more.select(slates.columns)]).sort("query", "place")
    lists = rows.group_by("query", maintain_order=True).agg(pl.col("id").head(count))
    every = queries.select(pl.col("query").cast(pl.Int64))
    return every.join(lists, on="query", how="left", maintain_order="left")["id"].fill_null([])


def _numbers(ids: pl.Series, run: Run) -> pl.Series:
    import polars as pl

    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        raise DataError(
            f"{run.folder}: the id '{ids.filter(numbers.is_null())[0]}' is no number, as those of Melon are"
        )
    return numbers
