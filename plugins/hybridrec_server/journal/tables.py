"""The tables `exposures` and `events` of a log as frames."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec import DataError
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import KINDS, Damage, Record, RecordKind, scan

if TYPE_CHECKING:
    import polars as pl

KEYS: dict[RecordKind, tuple[str, ...]] = {
    "exposures": ("request", "place", "received"),
    "events": ("unit", "event_id"),
}
"""Table -> columns that name a row: a second row with the same ones is a repeat.

Clients may use the name of a request for several answers, such as the pages of a list: each was received at a time of
its own, which a repeated rotation does not change.
"""
PART = 1 << 20
"""Rows that are in memory at the same time, about, where those of a table are read in parts."""
_BLOCK = 2_000
"""Records that are Python objects at the same time."""
_PER_PLACE = ("item", "place", "served_by", "propensity", "marginal")


def schema(kind: RecordKind) -> pl.Schema:
    """Return the columns of a table with their types; times are seconds since 1970.

    `assignments` and `segments` are objects in JSON: experiment -> arm, segmenter -> segment.
    """
    import polars as pl

    text, number = pl.String(), pl.Float64()
    if kind == "events":
        return pl.Schema(
            {
                "event_id": text,
                "request": text,
                "unit": text,
                "item": text,
                "kind": text,
                "value": number,
                "time": number,
                "received": number,
            }
        )
    return pl.Schema(
        {
            "request": text,
            "place": pl.Int32(),
            "target": text,
            "item": text,
            "unit": text,
            "assignments": text,
            "bundle": text,
            "pipeline": text,
            "served_by": text,
            "degraded": pl.Boolean(),
            "policy": text,
            "propensity": number,
            "marginal": number,
            "segments": text,
            "time": number,
            "received": number,
        }
    )


def read_table(folder: LogFolder, kind: RecordKind) -> pl.DataFrame:
    """Return all rows of a table, each once, also while a server appends to the log.

    Raises DataError if a file cannot be read.
    """
    import polars as pl

    return pl.concat(distinct_parts(folder, kind))


def distinct_parts(
    folder: LogFolder,
    kind: RecordKind,
    columns: Collection[str] | None = None,
    damages: dict[Path, Damage] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield all rows of a table, each once, in parts of about `PART` rows, also while a server appends to the log.

    Rows that have the same value in the first of the columns `KEYS` are in the same part, in the order in which they
    were appended; so are repeats. Each part takes a pass over the files. There is at least one part.

    columns: the columns that are wanted, by default all; those of `KEYS` are there, too
    damages: file of the journal -> its bytes that are not records

    Raises DataError if a file cannot be read.
    """
    import polars as pl

    damages = {} if damages is None else damages
    types = schema(kind)
    names = [name for name in types if columns is None or name in columns or name in KEYS[kind]]
    # A file of the journal that goes while this reads has become a Parquet file, and those are listed afterwards.
    recent = []
    for _, path in folder.segments():
        damages[path] = Damage()
        with suppress(FileNotFoundError):
            recent.append(segment_tables(path, damages[path])[kind].select(names))
    files = folder.parts(kind)
    rows = sum(map(len, recent)) + sum(len(frame) for path in files for frame in _collected(path, kind, KEYS[kind][:1]))
    parts = max(-(-rows // PART), 1)
    for number in range(parts):
        ours = pl.col(KEYS[kind][0]).hash() % parts == number if parts > 1 else pl.lit(value=True)
        rotated = (frame for path in files for frame in _collected(path, kind, names, ours))
        frames = [pl.DataFrame(schema=types).select(names), *rotated, *(frame.filter(ours) for frame in recent)]
        yield distinct(pl.concat(frames), kind)


def _collected(
    path: Path, kind: RecordKind, columns: Sequence[str], rows: pl.Expr | None = None
) -> Iterator[pl.DataFrame]:
    """Yield columns of a Parquet file, or nothing if its rows were too old meanwhile; raises DataError."""
    import polars as pl

    with suppress(FileNotFoundError), reading(path):
        scanned = pl.scan_parquet(path, glob=False).match_to_schema(schema(kind))
        yield (scanned if rows is None else scanned.filter(rows)).select(columns).collect()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what Polars raises for a damaged file in the `with` block, of which some are panics, into a DataError."""
    import polars as pl

    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from None


def distinct(rows: pl.DataFrame, kind: RecordKind) -> pl.DataFrame:
    """Return rows without repeats: of several of one name the first."""
    return rows.unique(KEYS[kind], keep="first", maintain_order=True)


def segment_tables(path: Path, damage: Damage) -> dict[RecordKind, pl.DataFrame]:
    """Return the rows of a file of the journal by table, each once; note in `damage` what is not a record.

    Raises DataError for records of a later version.
    """
    import polars as pl

    blocks: dict[RecordKind, list[pl.DataFrame]] = {kind: [pl.DataFrame(schema=schema(kind))] for kind in KINDS}
    try:
        records = scan(path, damage)
        while block := list(islice(records, _BLOCK)):
            for kind in KINDS:
                blocks[kind].append(_frame((record for record in block if record.kind == kind), kind))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return {kind: distinct(pl.concat(frames), kind) for kind, frames in blocks.items()}


def _frame(records: Iterable[Record], kind: RecordKind) -> pl.DataFrame:
    import polars as pl

    if kind == "events":
        rows = [{**record.fields, "event_id": record.fields["id"]} for record in records]
        return pl.DataFrame(rows, schema=schema(kind))
    wide = schema(kind)
    lists = pl.Schema({name: pl.List(dtype) if name in _PER_PLACE else dtype for name, dtype in wide.items()})
    frame = pl.DataFrame([_row(record.fields) for record in records], schema=lists)
    return frame.filter(pl.col("item").list.len() > 0).explode(_PER_PLACE)


def _row(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as a row of lists by place."""
    answer = fields.pop("answer")
    places = answer["items"]
    nothing = [None] * len(places)
    return {
        **fields,
        **{name: answer[name] for name in ("request", "target", "bundle", "pipeline")},
        "degraded": answer.get("degraded", False),
        "policy": answer.get("policy"),
        "item": [place["id"] for place in places],
        "place": [place["place"] for place in places],
        "served_by": [answer["served_by"]] * len(places),
        "propensity": [place.get("propensity") for place in places],
        "marginal": fields["marginals"] or nothing,
        "assignments": json.dumps(fields["assignments"], sort_keys=True, ensure_ascii=False),
        "segments": json.dumps(fields["segments"], sort_keys=True, ensure_ascii=False),
    }
