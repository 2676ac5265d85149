"""Checks of the tables of a run: their columns and rows are those that a run of this report has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from hybridrec.errors import StoreError
from hybridrec.evaluation.report import Report
from hybridrec.types import ITEMS

if TYPE_CHECKING:
    import polars as pl

Content: TypeAlias = Literal["text", "code", "number", "ids"]

NAMES_COLUMNS: Mapping[str, Content] = {"id": "text", "name": "text"}
QUERIES_COLUMNS: Mapping[str, Content] = {"fold": "text", "unit": "text", "items": "ids", "text": "text"}
PER_QUERY_COLUMNS: Mapping[str, Content] = {
    "pipeline": "text",
    "query": "code",
    "unit": "text",
    "weight": "number",
    "segment": "text",
    "served_by": "text",
}
SLATE_COLUMNS: Mapping[str, Content] = {
    "query": "code",
    "rank": "code",
    "id": "text",
    "score": "number",
    "served_by": "text",
}


def check_columns(file: Path, frame: pl.DataFrame, columns: Mapping[str, Content]) -> pl.DataFrame:
    """Return the frame; raises StoreError for a column that is missing, of another type, or, but for numbers, null."""
    import polars as pl

    for name, content in columns.items():
        if name not in frame.columns:
            raise StoreError(f"{file} cannot be read: it has no column '{name}'")
        dtype = frame.schema[name]
        fits = {
            "text": dtype == pl.String,
            "code": dtype.is_integer(),
            "number": dtype.is_numeric() or dtype == pl.Boolean,
            "ids": dtype == pl.List(pl.String),
        }[content]
        if not fits or (content != "number" and frame[name].has_nulls()):
            raise StoreError(f"{file} cannot be read: its column '{name}' holds {dtype}, or values that are missing")
    return frame


def check_queries(file: Path, frame: pl.DataFrame, report: Report, relevant: str) -> pl.DataFrame:
    """Return the frame of queries; raises StoreError unless it has a row for each, with lists of ids of all kinds.

    relevant: the beginning of the names of the columns of hidden ids
    """
    metrics = {metric for arm in report.pipelines.values() for metric in arm.metrics}
    targets = {metric.rpartition("/")[0] or ITEMS for metric in metrics}
    hidden = {name for name in frame.columns if name.startswith(relevant)} | {relevant + target for target in targets}
    entities = [kind for kind in report.data.entities if kind in frame.columns]
    ids: dict[str, Content] = dict.fromkeys([*sorted(hidden), *entities], "ids")
    check_columns(file, frame, {**ids, **QUERIES_COLUMNS})
    _check_rows(file, len(frame), report)
    return frame


def check_per_query(file: Path, frame: pl.DataFrame, report: Report, segment: str) -> pl.DataFrame:
    """Return the frame of values; raises StoreError unless each pipeline of the report has a row for each query.

    segment: the beginning of the names of the columns of further segments
    """
    import polars as pl

    others: dict[str, Content] = {name: "text" if name.startswith(segment) else "number" for name in frame.columns}
    check_columns(file, frame, {**others, **PER_QUERY_COLUMNS})
    if set(frame["pipeline"]) != set(report.pipelines):
        raise StoreError(f"{file} cannot be read: its pipelines are not those of the report")
    if not frame.select((pl.col("query") == pl.int_range(pl.len()).over("pipeline")).all()).item():
        raise StoreError(f"{file} cannot be read: the queries of a pipeline are not in their order")
    for rows in frame["pipeline"].value_counts()["count"]:
        _check_rows(file, rows, report)
    return frame


def check_slates(file: Path, frame: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Return the frame of slates; raises StoreError for a query that the run does not have."""
    check_columns(file, frame, SLATE_COLUMNS)
    if len(frame) and not frame["query"].is_between(0, _queries(report) - 1).all():
        raise StoreError(f"{file} cannot be read: it answers a query that the run does not have")
    return frame


def _check_rows(file: Path, rows: int, report: Report) -> None:
    if rows != _queries(report):
        raise StoreError(f"{file} cannot be read: it has {rows} queries, and the report {_queries(report)}")


def _queries(report: Report) -> int:
    return next((arm.queries for arm in report.pipelines.values()), 0)
