"""Table of events in a PostgreSQL database, for many writers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hybridrec import ConfigError, MissingDependencyError
from hybridrec_server.state.base import Busy, Event, StateLimits, Synchronous

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
INSTALL = "pip install 'hybridrec[serve,sql]'"
SLICE = 2_000
"""Units whose old events are deleted in one transaction."""
_DAY = 86_400.0
_PAUSE = 0.05
"""Seconds between two attempts to reach the server."""
_SCHEMA_LOCK = 0x68796272
"""Number of the lock that is held while the table is made: two servers that start at once would both make it."""
# Ids sort by their bytes, as they do in SQLite and in Python.
_TABLE = """
CREATE TABLE IF NOT EXISTS hybridrec_events_1 (
    id text COLLATE "C" NOT NULL, unit text COLLATE "C" NOT NULL, item text NOT NULL, kind text NOT NULL,
    time float8 NOT NULL, received float8 NOT NULL, value float8, request text, PRIMARY KEY (unit, id)
)
"""
_INSERT = """
INSERT INTO hybridrec_events_1
SELECT * FROM
unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::float8[], %s::text[])
ON CONFLICT DO NOTHING RETURNING unit, id
"""
_SELECT = """
SELECT * FROM hybridrec_events_1 WHERE unit = ANY(%s) AND received >= %s ORDER BY unit, time, received, id
"""
_TRIM = """
DELETE FROM hybridrec_events_1 AS events USING (
    SELECT unit, id, row_number() OVER (PARTITION BY unit ORDER BY time DESC, received DESC, id DESC) AS place
    FROM hybridrec_events_1 WHERE unit = ANY(%s)
) AS ranked WHERE events.unit = ranked.unit AND events.id = ranked.id AND place > %s
"""
_LAST = """
SELECT max(unit) FROM
(SELECT DISTINCT unit FROM hybridrec_events_1 WHERE unit > %s ORDER BY unit LIMIT %s) AS slice
"""
_EXPIRE = "DELETE FROM hybridrec_events_1 WHERE unit > %s AND unit <= %s AND received < %s"


class PostgresDatabase:
    """Connection to the table of events in a PostgreSQL database; each thread has its own."""

    def __init__(self, address: str, synchronous: Synchronous, limits: StateLimits) -> None:
        """Connect to a database and make the table if it is missing.

        Raises ConfigError, which does not show the address, since it may hold a password, and MissingDependencyError.
        """
        try:
            import psycopg
        except ImportError:
            raise MissingDependencyError(f"state in PostgreSQL needs its driver: {INSTALL}") from None
        self.limits = limits
        self._errors = psycopg
        self._address = address
        self._commit = "on" if synchronous == "FULL" else "off"
        self._connection: Connection[Any] | None = None
        try:
            self._connection = self._connected()
            with self._connection.transaction():
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
                self._connection.execute(_TABLE)
        except psycopg.Error as error:
            raise ConfigError(f"the state in PostgreSQL cannot be opened: {_reason(error)}") from None

    def insert(self, events: Sequence[Event]) -> list[bool]:
        """Store events in one transaction; return for each if it is new."""
        # All writers take the rows in one order: two of them never wait for each other in a circle.
        ordered = sorted(events, key=lambda event: (event.unit, event.id))
        columns = [list(column) for column in zip(*ordered, strict=True)] if ordered else [[]] * len(Event._fields)

        def work(connection: Connection[Any]) -> set[tuple[str, str]]:
            stored = set(connection.execute(_INSERT, columns).fetchall())
            if stored:
                connection.execute(_TRIM, (sorted({unit for unit, _ in stored}), self.limits.per_unit))
            return stored

        stored = self._retried(work)
        new = []
        for event in events:
            new.append((event.unit, event.id) in stored)
            stored.discard((event.unit, event.id))
        return new

    def select(self, units: Sequence[str]) -> list[tuple[str | float | None, ...]]:
        """Return the recent events of units as rows, those of a unit from the oldest to the newest."""
        return self._retried(lambda connection: connection.execute(_SELECT, (list(units), self._oldest())).fetchall())

    def delete(self, unit: str) -> int:
        """Delete all events of a unit, and return their number; vacuuming, which the server does, frees their place."""
        statement = "DELETE FROM hybridrec_events_1 WHERE unit = %s"
        return self._retried(lambda connection: connection.execute(statement, (unit,)).rowcount)

    def expire(self, after: str) -> str | None:
        """Delete the old events of some persons that follow `after`; return the last of these, None at the end."""

        def work(connection: Connection[Any]) -> str | None:
            row = connection.execute(_LAST, (after, SLICE)).fetchone()
            if row is None or row[0] is None:
                return None
            connection.execute(_EXPIRE, (after, row[0], self._oldest()))
            return row[0]

        return self._retried(work)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _oldest(self) -> float:
        return time.time() - self.limits.days * _DAY

    def _connected(self) -> Connection[Any]:
        milliseconds = max(int(self.limits.wait * 1000), 1)
        return self._errors.connect(
            self._address,
            autocommit=True,
            connect_timeout=max(round(self.limits.wait), 2),
            options=f"-c synchronous_commit={self._commit} -c lock_timeout={milliseconds} "
            f"-c statement_timeout={10 * milliseconds}",
        )

    def _retried(self, work: Callable[[Connection[Any]], T]) -> T:
        """Run a transaction; while the server is gone, connect again, and raise Busy once that took too long.

        A transaction whose commit was not confirmed runs again: its events are then counted as repeated.
        """
        deadline = time.monotonic() + self.limits.wait
        while True:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._connected()
                with self._connection.transaction():
                    return work(self._connection)
            except (self._errors.OperationalError, self._errors.InterfaceError) as error:
                if self._connection is not None and not self._connection.closed and _is_of_statement(error):
                    raise Busy(f"the state cannot be used now: {_reason(error)}") from None
                if self._connection is not None:
                    self._connection.close()
                if time.monotonic() > deadline:
                    raise Busy(f"the state cannot be reached: {_reason(error)}") from None
                time.sleep(_PAUSE)


def _is_of_statement(error: Exception) -> bool:
    """Return True if the server refused a statement (a lock, a full disk), and is still there."""
    return not str(getattr(error, "sqlstate", None) or "08").startswith(("08", "57P"))


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
