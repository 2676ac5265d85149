"""Files of slates, relevant ids, queries and items: TREC text, or tables with columns of known names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec import DataError, did_you_mean, text_files

if TYPE_CHECKING:
    import polars as pl

TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
"""Endings of tables; any other file is TREC text."""
QUERY = ("query", "query_id", "qid", "q_id", "user", "user_id")
ID = ("id", "item", "item_id", "doc_id", "docid", "docno")
RANK = ("rank",)
SCORE = ("score",)
RELEVANCE = ("relevant", "relevance", "rel", "gain", "qrel")
UNIT = ("unit", "user", "user_id")


def read_slates(path: Path) -> pl.DataFrame:
    """Read slates: a frame with `query`, `id` and `score` (null if the file has none), the best ids of a query first.

    TREC text has six fields in a line (query, Q0, id, rank, score, name) and is ordered by score. A table is ordered by
    `rank` if it has this column, else by `score`, else as it is. Ties keep the order of the file. Raises DataError for
    a file that is neither, for missing values, and for an id that a query has twice.
    """

    frame = _trec(path, ("query", "iteration", "id", "rank", "score", "name")) if _is_trec(path) else _table(path)
    query, item = _column(path, frame, QUERY), _column(path, frame, ID)
    rank = None if _is_trec(path) else _find(frame, RANK)
    score = _find(frame, SCORE)
    chosen = frame.select(
        _text(query).alias("query"),
        _text(item).alias("id"),
        _number(score).alias("score"),
        (-_number(rank) if rank is not None else _number(score)).alias("order"),
    )
    _refuse_missing(path, chosen, ("query", "id", *([] if rank is None and score is None else ["order"])))
    _refuse_repeats(path, chosen)
    return chosen.sort("order", descending=True, nulls_last=True, maintain_order=True).drop("order")


def read_qrels(path: Path) -> pl.DataFrame:
    """Read relevant ids: a frame with `query`, `id` and `relevance`, which is 1 if the file has no such column.

    Rows with a relevance of 0 or less are left out. TREC text has four fields in a line: query, iteration, id,
    relevance. Raises DataError as `read_slates` does, and if no row is left.
    """
    import polars as pl

    frame = _trec(path, ("query", "iteration", "id", "relevant")) if _is_trec(path) else _table(path)
    relevance = _find(frame, RELEVANCE)
    chosen = frame.select(
        _text(_column(path, frame, QUERY)).alias("query"),
        _text(_column(path, frame, ID)).alias("id"),
        (pl.lit(1.0) if relevance is None else _number(relevance)).alias("relevance"),
    )
    _refuse_missing(path, chosen, ("query", "id", "relevance"))
    _refuse_repeats(path, chosen)
    relevant = chosen.filter(pl.col("relevance") > 0)
    if not len(relevant):
        raise DataError(f"{path}: no row is relevant; right is a relevance above 0")
    return relevant


def read_queries(path: Path) -> pl.DataFrame:
    """Read queries: a frame with `query`, `unit` (the query itself if the file has no unit), and every other column.

    Raises DataError for a missing query, and for one that occurs twice.
    """
    frame = _table(path)
    query = _column(path, frame, QUERY[:4] if _find(frame, QUERY[:4]) else QUERY)
    unit = _find(frame.drop(query), UNIT) or query
    others = [name for name in frame.columns if name not in (query, unit) and not frame.schema[name].is_nested()]
    chosen = frame.select(_text(query).alias("query"), _text(unit).alias("unit"), *others)
    _refuse_missing(path, chosen, ("query", "unit"))
    if not chosen["query"].is_unique().all():
        again = chosen["query"].filter(~chosen["query"].is_first_distinct())[0]
        raise DataError(f"{path}: query {again!r} occurs twice; right is one row for each")
    return chosen


def read_ids(path: Path) -> pl.DataFrame:
    """Read a catalogue: a frame with `id`, and with `text` if the file has a column `title`, `name` or `text`."""
    frame = _table(path)
    text = _find(frame, ("title", "name", "text"))
    columns = [_text(_column(path, frame, ID)).alias("id"), *([] if text is None else [_text(text).alias("text")])]
    chosen = frame.select(columns)
    _refuse_missing(path, chosen, ("id",))
    return chosen.unique("id", keep="first", maintain_order=True)


def _is_trec(path: Path) -> bool:
    return path.suffix.lower() not in TABLES


def _trec(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """Read a text file whose lines are fields separated by blanks, as a frame with the columns `names`.

    Raises DataError for a line with another number of fields, or with a NUL character or byte order mark in it.
    """
    import polars as pl

    _check_file(path)
    try:
        lines = pl.read_csv(
            path, separator="\n", has_header=False, new_columns=["line"], quote_char=None, infer_schema=False
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {str(error).partition(chr(10))[0]}") from None
    odd = lines["line"].str.contains("[\\x00\\x{feff}]").fill_null(False)
    if odd.any():
        raise DataError(f"{path}, line {int(odd.arg_true()[0]) + 1}: a NUL character or byte order mark in it")
    fields = lines.select(pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ").alias("fields"))
    wrong = fields["fields"].list.len() != len(names)
    if wrong.any():
        number = int(wrong.arg_true()[0]) + 1
        right = " ".join(names)
        raise DataError(
            f"{path}, line {number}: {len(fields['fields'][number - 1])} fields; right are {len(names)} ({right}), "
            f"or a table that ends in {', '.join(TABLES)}"
        )
    return fields.select(pl.col("fields").list.to_struct(fields=list(names))).unnest("fields")


def _table(path: Path) -> pl.DataFrame:
    import polars as pl

    _check_file(path)
    try:
        match path.suffix.lower():
            case ".parquet":
                return pl.read_parquet(path, glob=False)
            case ".jsonl" | ".ndjson":
                return pl.read_ndjson(path, infer_schema_length=None)
            case ".tsv":
                return pl.read_csv(path, separator="\t", infer_schema=False, glob=False)
            case ".csv":
                return pl.read_csv(path, infer_schema=False, glob=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from None
    raise DataError(f"{path}: the name does not show the format; right is {', '.join(TABLES)}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty")
    if path.suffix.lower() != ".parquet":
        text_files.check_lines(path)


def _find(frame: pl.DataFrame, names: Sequence[str]) -> str | None:
    """Return the column whose name comes first in `names`; None if no column has any of these names.

    Upper and lower case count as equal.
    """
    columns = {name.lower(): name for name in reversed(frame.columns)}
    return next((columns[name] for name in names if name in columns), None)


def _column(path: Path, frame: pl.DataFrame, names: Sequence[str]) -> str:
    if (name := _find(frame, names)) is None:
        raise DataError(f"{path} has no column {names[0]!r}; {did_you_mean(names[0], frame.columns)}")
    return name


def _text(name: str) -> pl.Expr:
    import polars as pl

    return pl.col(name).cast(pl.String)


def _number(name: str | None) -> pl.Expr:
    import polars as pl

    if name is None:
        return pl.lit(None, pl.Float64)
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.cast(pl.Float32, strict=False).is_finite()).then(number)


def _refuse_missing(path: Path, frame: pl.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        empty = frame[name].is_null() | (frame[name].cast(str) == "")
        if empty.any():
            called = {"order": "rank or score"}.get(name, name)
            raise DataError(f"{path}, row {int(empty.arg_true()[0]) + 1}: the {called} is missing, or is not a number")


def _refuse_repeats(path: Path, frame: pl.DataFrame) -> None:
    pairs = frame.select("query", "id")
    again = pairs.is_duplicated()
    if again.any():
        query, item = pairs.filter(again).row(0)
        raise DataError(f"{path}: query {query!r} has {item!r} twice; right is each id once ({int(again.sum())} rows)")
