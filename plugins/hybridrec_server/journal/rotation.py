"""Rotation of a journal into Parquet, deletion of old files and of people; `python -m` runs it beside the server.

It is a process of its own, since it parses much JSON: in the server it would hold the interpreter's lock for too long.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec import HybridrecError, replacing
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import KINDS, Damage, RecordKind
from hybridrec_server.journal.tables import KEYS, reading, schema, segment_tables

if TYPE_CHECKING:
    import polars as pl

_DAY = 86_400.0


@dataclass(slots=True)
class Rotated:
    """Numbers of what a rotation did."""

    files: int = 0
    """Files of the journal that became Parquet files."""
    damaged: int = 0
    """Bytes in them that were not records."""
    expired: int = 0
    """Parquet files that were deleted, since all of their rows were too old."""
    exposures: int = 0
    """Rows of the forgotten person that were deleted from the table `exposures`."""
    events: int = 0
    """Rows of the forgotten person that were deleted from the table `events`."""


def rotate(
    folder: LogFolder, below: int, *, days: float | None = None, forget: str | None = None, server: int | None = None
) -> Rotated:
    """Turn the files of the journal with numbers below `below` into Parquet files; delete what is old or forgotten.

    Each Parquet file is written whole or not at all, and the file of the journal is deleted after it. A rotation that
    was killed is repeated by the next one: the same rows get into files of the same names.

    days: age from which a Parquet file is deleted, counted from its newest row; None keeps all
    forget: unit whose rows are deleted everywhere
    server: process whose child this is. If it was killed before the lock was free, nothing is done: a rotation by hand
        may have deleted all files meanwhile, so that the next server gives the same numbers again
    """
    rotated = Rotated()
    with folder.locked("rotate", wait=True):
        if server is not None and os.getppid() != server:
            return rotated
        for partial in (path for kind in KINDS for path in (folder.path / kind).glob(".part-*")):
            partial.unlink()  # of a rotation that was killed, as this one holds the lock
        for number, path in folder.segments():
            if number >= below:
                continue
            damage = Damage()
            for kind, rows in segment_tables(path, damage).items():
                if len(rows):
                    _write(rows, folder.part_file(kind, number))
            path.unlink()
            rotated.files += 1
            rotated.damaged += damage.damaged + damage.torn
        if days is not None:
            rotated.expired = _expire(folder, time.time() - days * _DAY)
        if forget is not None:
            rotated.exposures = _forget(folder, "exposures", forget)
            rotated.events = _forget(folder, "events", forget)
    return rotated


def _write(rows: pl.DataFrame, path: Path) -> None:
    with replacing(path) as file:
        rows.write_parquet(file)


def _expire(folder: LogFolder, oldest: float) -> int:
    """Delete Parquet files whose newest row came before `oldest`; return their number."""
    import polars as pl

    old = []
    for path in (path for kind in KINDS for path in folder.parts(kind)):
        with reading(path):
            newest = pl.scan_parquet(path, glob=False).select(pl.col("received").max()).collect().item()
        if newest is not None and newest < oldest:
            old.append(path)
    for path in old:
        path.unlink()
    return len(old)


def _forget(folder: LogFolder, kind: RecordKind, unit: str) -> int:
    """Rewrite the Parquet files that have rows of a unit without them; return the number of rows, repeats aside."""
    import polars as pl

    forgotten = [pl.DataFrame(schema=schema(kind)).select(KEYS[kind])]
    for path in folder.parts(kind):
        with reading(path):
            theirs = pl.scan_parquet(path, glob=False).filter(pl.col("unit") == unit).select(KEYS[kind]).collect()
            if not len(theirs):
                continue
            others = pl.read_parquet(path, glob=False).filter(pl.col("unit").ne_missing(pl.lit(unit)))
        if len(others):
            _write(others, path)
        else:
            path.unlink()
        forgotten.append(theirs)
    return pl.concat(forgotten).n_unique()


def main() -> None:
    """Rotate as one object of JSON on standard input says, and print what was done as another.

    Standard input has no place in the list of processes, where everybody could read whom it forgets.
    """
    with suppress(OSError):
        os.nice(10)
    asked: dict[str, Any] = json.load(sys.stdin)
    try:
        done = rotate(LogFolder(Path(asked.pop("folder"))), **asked)
    except (HybridrecError, OSError) as error:
        sys.exit(str(error))
    print(json.dumps(asdict(done)))


if __name__ == "__main__":
    main()
