"""Table of events in a file of SQLite, whose write-ahead log lets readers and a writer work side by side."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybridrec import ConfigError
from hybridrec_server.state.base import Busy, Event, StateLimits, Synchronous

APPLICATION = 0x68796272
"""Mark of our files among those of SQLite."""
SCHEMA = 1
"""Version of the table."""
SLICE = 2_000
"""Units whose old events are deleted in one transaction, so that writers wait for a moment only."""
_DAY = 86_400.0
# Unit and id are the key: it finds the events of a unit, and tells an event that is sent again.
_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, unit TEXT NOT NULL, item TEXT NOT NULL, kind TEXT NOT NULL, time REAL NOT NULL,
    received REAL NOT NULL, value REAL, request TEXT, PRIMARY KEY (unit, id)
) WITHOUT ROWID, STRICT
"""
_UNITS = "(SELECT value FROM json_each(?))"
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_SELECT = f"SELECT * FROM events WHERE unit IN {_UNITS} AND received >= ? ORDER BY unit, time, received, id"
_CROWDED = f"SELECT unit, count(*) - ? FROM events WHERE unit IN {_UNITS} GROUP BY unit HAVING count(*) > ?"
_TRIM = """
DELETE FROM events WHERE unit = ?1 AND id IN
(SELECT id FROM events WHERE unit = ?1 ORDER BY time, received, id LIMIT ?2)
"""
_LAST = "SELECT max(unit) FROM (SELECT DISTINCT unit FROM events WHERE unit > ? ORDER BY unit LIMIT ?)"
_EXPIRE = "DELETE FROM events WHERE unit > ? AND unit <= ? AND received < ?"


class SqliteDatabase:
    """Connection to a file of events; each thread has its own."""

    def __init__(self, path: Path, synchronous: Synchronous, limits: StateLimits) -> None:
        """Open a file, which is made if it is missing; raises ConfigError if it holds something else."""
        self.limits = limits
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # for nobody else: these are data of people
            self._connection = sqlite3.connect(
                path, timeout=limits.wait, isolation_level=None, check_same_thread=False, cached_statements=16
            )
            self._prepare(path, synchronous)
        except (OSError, sqlite3.Error, Busy) as error:
            raise ConfigError(f"the state {path} cannot be opened: {error}") from None

    def _prepare(self, path: Path, synchronous: Synchronous) -> None:
        execute = self._connection.execute
        # In this order, as another process may make the table and the id, in one transaction, between the two looks.
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise ConfigError(f"the state {path} is a database of something else; name another file")
        self._use_log()
        execute(f"PRAGMA synchronous = {synchronous}")
        execute("PRAGMA secure_delete = ON")  # what is forgotten shall not stay in free pages
        version = execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise ConfigError(f"the state {path} has version {version} of the table; this server reads {SCHEMA}")
        if version != SCHEMA:  # else nothing is to be written, and no writer waited for
            with self._transaction():
                execute(_TABLE)
                execute(f"PRAGMA application_id = {APPLICATION}")
                execute(f"PRAGMA user_version = {SCHEMA}")

    def _use_log(self) -> None:
        """Write to a log ahead of the file, also if other processes make the same switch at this moment."""
        deadline = time.monotonic() + self.limits.wait
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:  # SQLite itself does not wait here
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def insert(self, events: Sequence[Event]) -> list[bool]:
        """Store events in one transaction, which is on the disk at the end; return for each if it is new."""
        most = self.limits.per_unit
        execute = self._connection.execute
        with self._transaction():
            new = [execute(_INSERT, event).rowcount == 1 for event in events]
            units = list({event.unit for event, is_new in zip(events, new, strict=True) if is_new})
            if units:
                for unit, surplus in execute(_CROWDED, (most, json.dumps(units), most)).fetchall():
                    execute(_TRIM, (unit, surplus))
        return new

    def select(self, units: Sequence[str]) -> list[tuple[str | float | None, ...]]:
        """Return the recent events of units as rows, those of a unit from the oldest to the newest."""
        with _waited():
            return self._connection.execute(_SELECT, (json.dumps(list(units)), self._oldest())).fetchall()

    def delete(self, unit: str) -> int:
        """Delete all events of a unit, also from the write-ahead log, and return their number."""
        with self._transaction():
            deleted = self._connection.execute("DELETE FROM events WHERE unit = ?", (unit,)).rowcount
        self._truncate_log()
        return deleted

    def expire(self, after: str) -> str | None:
        """Delete the old events of some persons that follow `after`; return the last of these, None at the end."""
        with self._transaction():
            last = self._connection.execute(_LAST, (after, SLICE)).fetchone()[0]
            if last is not None:
                self._connection.execute(_EXPIRE, (after, last, self._oldest()))
        return last

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _oldest(self) -> float:
        return time.time() - self.limits.days * _DAY

    def _truncate_log(self) -> None:
        """Move the write-ahead log into the file and empty it; a reader that is under way may keep a rest of it."""
        deadline = time.monotonic() + self.limits.wait
        with _waited():
            while self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise Busy("the write-ahead log of the state is in use; what was deleted leaves it later")
                time.sleep(0.01)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run a transaction that may write from its start, so that waiting for another writer is enough."""
        with _waited():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def _waited() -> Iterator[None]:
    """Raise Busy for what SQLite cannot do now: a lock that was waited for, a full disk, a broken one."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Busy(f"the state cannot be used now: {error}") from error
