"""Exporters of slates and truth for other evaluators: TREC files for trec_eval, ranx and ir_measures, or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hybridrec.paths import inside, replacing
from hybridrec.runs.exporter import Exporter
from hybridrec.runs.run import RELEVANT
from hybridrec.types import Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.runs.run import Run


class TrecExporter(Exporter):
    """The slates of all pipelines and the truth of all targets as TREC files, for trec_eval, ranx and ir_measures.

    The files are named `<pipeline>.<target>.run` and `<target>.qrels`. Ids are percent-encoded, because blanks separate
    the columns of the format. The score of an id is the length of the slate minus the number of places before it, so
    that evaluators, which sort by score, keep the order of the slate even where scores are equal.
    """

    name = "trec"

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write the slates of each pipeline and target, and the truth of each target.

        Raises StoreError if the run is damaged.
        """
        return [_write_trec(frame, folder, name) for name, frame in _frames(run, for_trec=True).items()]


class ParquetExporter(Exporter):
    """The slates of all pipelines and the truth of all targets as Parquet files, with the ids of the data.

    `<pipeline>.<target>.run.parquet` has the columns `query`, `id`, `rank`, `score` (of the pipeline) and `run`.
    `<target>.qrels.parquet` has `query`, `id` and `relevant`.
    """

    name = "parquet"

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write the slates of each pipeline and target, and the truth of each target.

        Raises StoreError if the run is damaged.
        """
        return [write_parquet(frame, folder, name) for name, frame in _frames(run, for_trec=False).items()]


def _frames(run: Run, *, for_trec: bool) -> dict[str, pl.DataFrame]:
    """Return frames of the slates and of the truth, by the names of their files without the ending `.parquet`.

    With `for_trec`, the frames have the columns of TREC files, and ids are percent-encoded. Otherwise the ids are as
    in the run.
    """
    import polars as pl

    targets, queries = targets_of(run), run.queries()
    frames = {}
    for name in run.report.pipelines:
        for target in targets:
            slates = run.slates(name, target).select("query", "id", "rank", "score", run=pl.lit(name))
            frames[f"{name}.{target}.run"] = _ranked(slates) if for_trec else slates
    for target in targets:
        qrels = qrels_of(queries, target)
        frames[f"{target}.qrels"] = _graded(qrels) if for_trec else qrels
    return frames


def targets_of(run: Run) -> list[Target]:
    """Return the targets for which a run has slates."""
    return list(next(iter(run.report.pipelines.values())).candidate_recall)


def qrels_of(queries: pl.DataFrame, target: Target) -> pl.DataFrame:
    """Return the truth of a target from the frame `Run.queries()`: `query`, `id`, `relevant` (always 1)."""
    import polars as pl

    relevant = queries.select("query", id=f"{RELEVANT}{target}").explode("id").drop_nulls()
    return relevant.with_columns(relevant=pl.lit(1, pl.Int8))


def _ranked(slates: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    score = pl.col("rank").max() - pl.col("rank") + 1
    return slates.with_columns(_encoded(slates["id"]), score=score).select(
        "query", pl.lit("Q0"), "id", "rank", "score", "run"
    )


def _graded(qrels: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return qrels.with_columns(_encoded(qrels["id"])).select("query", pl.lit(0), "id", "relevant")


def _encoded(ids: pl.Series) -> pl.Series:
    distinct = ids.unique()
    return ids.replace(distinct, [quote(text, safe=":") for text in distinct])


def _write_trec(frame: pl.DataFrame, folder: Path, name: str) -> Path:
    path = inside(folder, name)
    with replacing(path) as file:
        frame.write_csv(file, separator=" ", include_header=False, quote_style="never")
    return path


def write_parquet(frame: pl.DataFrame, folder: Path, name: str) -> Path:
    """Write a frame as the file `<name>.parquet` of a folder, and return its path."""
    path = inside(folder, f"{name}.parquet")
    with replacing(path) as file:
        frame.write_parquet(file, compression="zstd")
    return path
