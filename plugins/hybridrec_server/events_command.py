"""`hybridrec events`: show the log of a server, rotate it into Parquet, and forget a person."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec import ConfigError, DataError, print_table
from hybridrec_server.event_log import Forgotten, request_to_forget
from hybridrec_server.journal.folder import MARKER, LogFolder
from hybridrec_server.journal.frames import KINDS, Damage, RecordKind, scan
from hybridrec_server.journal.rotation import rotate
from hybridrec_server.journal.tables import distinct_parts
from hybridrec_server.state.base import Busy, StateLimits
from hybridrec_server.state.store import open_state, state_address

if TYPE_CHECKING:
    import polars as pl

ALL = 1 << 62
"""Number above those of all files of a journal."""
_FOLDER = click.option(
    "--folder",
    default=".hybridrec/serve",
    show_default=True,
    envvar="HYBRIDREC_SERVE_FOLDER",
    type=click.Path(path_type=Path),
    help="Folder of the server.",
)


@click.group()
def events() -> None:
    """Show, rotate and clean the log of a server: what was served, and what people did."""


@events.command()
@_FOLDER
def show(folder: Path) -> None:
    """Count what is in the log, by kind of events and by pipeline."""
    log = _log_of(folder)
    _print_counts("Events", _counts(log, "events", "kind"), {"kind": "kind", "rows": "events"})
    answers = {"pipeline": "pipeline", "requests": "answers", "rows": "places"}
    _print_counts("Exposures", _counts(log, "exposures", "pipeline"), answers)
    rows = []
    for _, path in log.segments():
        damage = Damage()
        records = sum(1 for _ in scan(path, damage))
        rows.append([path.name, f"{path.stat().st_size:,}", f"{records:,} records", str(damage.damaged + damage.torn)])
    for kind in KINDS:
        rows += [[f"{kind}/{path.name}", f"{path.stat().st_size:,}", "", "0"] for path in log.parts(kind)]
    print_table("Files", ["file", "bytes", "not yet rotated", "damaged bytes"], rows)


@events.command("rotate")
@_FOLDER
@click.option("--days", type=click.FloatRange(min=0), help="Also delete Parquet files whose newest row is older.")
def rotate_command(folder: Path, days: float | None) -> None:
    """Turn the journal into Parquet files now; a running server does so by itself, every hour or 64 MB."""
    log = _log_of(folder)
    with log.locked("append", wait=False) as alone:
        # The last file of a running server is being written: it stays.
        below = ALL if alone else max((number for number, _ in log.segments()), default=0)
        done = rotate(log, below, days=days)
    click.echo(f"{done.files} files of the journal became Parquet, {done.expired} Parquet files were deleted")
    if done.damaged:
        click.echo(f"{done.damaged:,} bytes of the journal were damaged and are lost")


@events.command()
@click.argument("person")
@_FOLDER
@click.option(
    "--state",
    default="sqlite",
    show_default=True,
    envvar="HYBRIDREC_SERVE_STATE",
    help="Store of events, as for `hybridrec serve`.",
)
@click.option(
    "--wait", default=300.0, show_default=True, help="Seconds to wait for a running server, which does the work then."
)
def forget(person: str, folder: Path, state: str, wait: float) -> None:
    """Delete all that state and log have of a PERSON, the `user` of requests.

    Models that learned from it keep what they learned until they are fitted again.
    """
    if _has_log(folder):
        log = _log_of(folder)
        with log.locked("append", wait=False) as alone:
            done = _forget(log, person, folder, state) if alone else None
        if done is None:
            done = _ask_server(log, person, wait)
    else:  # a server without a log looks for no requests, and its database takes another writer
        done = Forgotten(_forget_in_state(person, folder, state))
    click.echo(
        f"forgotten: {done.state:,} events in the state; "
        f"{done.events:,} events and {done.exposures:,} exposures in the log"
    )


def _forget(log: LogFolder, person: str, folder: Path, state: str) -> Forgotten:
    """Delete a person from state and log, while no server runs."""
    number = _forget_in_state(person, folder, state)
    done = rotate(log, ALL, forget=person)
    return Forgotten(number, done.exposures, done.events)


def _forget_in_state(person: str, folder: Path, state: str) -> int:
    """Delete a person from the state, and return the number of events; raises ConfigError if its file is missing."""
    address = state_address(state, folder)
    if address is None:
        return 0
    file = address.removeprefix("sqlite:///")
    if "://" not in file and not Path(file).exists():  # it would be made, and nobody would be forgotten
        raise ConfigError(f"the state {file} is missing: give --folder and --state as `hybridrec serve` has them")

    async def work() -> int:
        store = open_state(address, limits=StateLimits(days=math.inf))  # the server says how long events are kept
        await store.start()
        try:
            return await store.forget(person)
        finally:
            await store.stop()

    try:
        return asyncio.run(work())
    except Busy as error:
        raise DataError(str(error)) from None


def _ask_server(log: LogFolder, person: str, wait: float) -> Forgotten:
    """Ask the server that appends to a log to forget a person."""
    answer = request_to_forget(log, person)
    until = time.monotonic() + wait
    while not answer.exists() or answer.with_suffix(".json").exists():
        if time.monotonic() > until:
            raise DataError(
                f"{log.path}: the server has not answered in {wait:g} s; it will carry the request out later"
            )
        time.sleep(0.1)
    done = json.loads(answer.read_bytes())
    answer.unlink()
    return Forgotten(**done)


def _log_of(folder: Path) -> LogFolder:
    """Return the log of a server's folder, or the log that the folder is; raises ConfigError if there is none."""
    log = LogFolder(folder if (folder / MARKER).exists() else folder / "log")
    log.check()
    return log


def _has_log(folder: Path) -> bool:
    """Return True if a server that uses this folder has written a log, or the folder is one."""
    return any((path / MARKER).exists() for path in (folder, folder / "log"))


def _counts(log: LogFolder, table: RecordKind, by: str) -> pl.DataFrame:
    """Return a row for each value of the column `by`, in order, with `rows`, `requests`, `persons`, `first` and `last`.

    The latter two are times of arrival.
    """
    import polars as pl

    arrival, persons, counts = pl.col("received"), [], []
    for rows in distinct_parts(log, table, {by, "request", "unit", "received"}):
        persons.append(rows.select(by, "unit").drop_nulls().unique())
        # No request of a table that is named by requests is in two parts, so that their numbers add up.
        numbers = {
            "rows": pl.len(),
            "requests": pl.col("request").n_unique(),
            "first": arrival.min(),
            "last": arrival.max(),
        }
        counts.append(rows.group_by(by).agg(**numbers))
    added = (
        pl.concat(counts)
        .group_by(by)
        .agg(pl.col("rows", "requests").sum(), pl.col("first").min(), pl.col("last").max())
    )
    people = pl.concat(persons).unique().group_by(by).agg(persons=pl.len())
    return added.join(people, on=by, how="left").with_columns(pl.col("persons").fill_null(0)).sort(by)


def _print_counts(title: str, counts: pl.DataFrame, headers: Mapping[str, str]) -> None:
    """Print counts; `headers` are those of the first columns, by name."""
    rows = [
        [*(value if isinstance(value, str) else f"{value:,}" for value in values), *_span(first, last)]
        for *values, first, last in counts.select(*headers, "persons", "first", "last").iter_rows()
    ]
    print_table(f"{title}: {counts['rows'].sum():,}", [*headers.values(), "persons", "first", "last"], rows)


def _span(first: float, last: float) -> list[str]:
    """Return the first and the last of some times, for people."""
    return [datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M") for value in (first, last)]
