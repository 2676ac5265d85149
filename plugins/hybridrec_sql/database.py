"""Connection to a database, in one transaction that only reads; errors never show the address, since it may hold a
password.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec import ConfigError, DataError, MissingDependencyError, Secret

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

INSTALL = "pip install 'hybridrec[sql]'"
FILES = {b"SQLite format 3\x00": (0, "sqlite"), b"DUCK": (8, "duckdb")}
"""Bytes that mark a file of a database -> (their place in the file, dialect of SQLAlchemy)."""
DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
"""Scheme of an address that names no driver -> scheme with the driver that the extra `sql` installs."""
SNAPSHOTS: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
}
"""Dialect -> options of a transaction in which all queries see the data of the same moment."""
BEGIN = {"sqlite": ("PRAGMA query_only = ON", "BEGIN")}
"""Dialect not among `SNAPSHOTS` -> statements that begin a transaction in which all queries see the same data."""
_NAME = r"""(?:[^\W\d]\w*|"(?:[^"]|"")+"|`(?:[^`]|``)+`)"""
TABLE = re.compile(rf"{_NAME}(?:\.{_NAME})*")
"""Name of a table, with or without its schema and quotes; any other text is a query."""
_SECRET = r"(?:pass|pwd|secret|token|credential|jwt|signature|key(?!space))"
SECRET_NAME = re.compile(rf"{_SECRET}|^(?:pw|sig)$", re.IGNORECASE)
"""Part of the name of a parameter that holds a password or the like."""
SECRET_PAIR = re.compile(
    rf"[\w .-]*{_SECRET}[\w .-]*=\s*"
    r"""(?:\{(?:[^}]|\}\})*(?:\}|$)|"(?:[^"]|"")*"|'(?:[^']|'')*')?[^;]*""",
    re.IGNORECASE,
)
"""Name and value of a password within the value of a parameter, such as `PWD={...}` in one for ODBC."""
SECRET_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):\S*@")
"""User and password of a URL within the value of a parameter."""


@dataclass(frozen=True, slots=True)
class Database:
    """Open connection to a database.

    place: address to be shown, without user, password and options
    identity: digest of the address with its user and options, but without passwords
    """

    connection: Connection
    place: str
    identity: str

    def batches(self, query: str, size: int) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """Yield the result of a query in batches, each with the names of the columns and up to `size` rows.

        `query` may also be the name of a table, which is read as a whole. A semicolon at the end means nothing.

        A result without rows is one empty batch. Raises DataError with the reason that the database gives.
        """
        from sqlalchemy.exc import SQLAlchemyError

        table = query.strip().removesuffix(";").rstrip()
        statement = f"SELECT * FROM {table}" if TABLE.fullmatch(table) else query
        # As it is written: neither `:name` nor `%` means anything in it.
        options = {"stream_results": True, "max_row_buffer": size, "no_parameters": True}
        try:
            result = self.connection.exec_driver_sql(statement, execution_options=options)
            if not result.returns_rows:
                raise DataError("the statement returns no rows; right is a SELECT, or the name of a table")
            names, empty = list(result.keys()), True
            for rows in result.partitions(size):
                empty = False
                yield names, rows
            if empty:
                yield names, ()
        except (SQLAlchemyError, UnicodeDecodeError) as error:  # the latter for names in a damaged file of SQLite
            raise DataError(reason(error)) from None


@contextmanager
def connected(database: Secret | Path) -> Iterator[Database]:
    """Connect to the database at an address or in a file, and roll the transaction back at the end.

    Raises MissingDependencyError without SQLAlchemy or the driver, ConfigError for a malformed address or one of an
    unknown dialect, and DataError for a database that cannot be read.
    """
    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise MissingDependencyError(f"the reader 'sql' needs SQLAlchemy: {INSTALL}") from None
    address = _address(database) if isinstance(database, Secret) else _address_of_file(database)
    dialect = address.get_backend_name()
    try:
        read_only = {"connect_args": {"read_only": True}} if dialect == "duckdb" else {}
        engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool, **read_only)
    except ImportError as error:
        driver = f"the driver '{error.name}' of {address.drivername}"
        raise MissingDependencyError(f"{driver} is not installed: {_install(dialect, error)}") from None
    except SQLAlchemyError:
        package = "pip install duckdb-engine" if dialect == "duckdb" else "install the package that has it"
        raise ConfigError(
            f"{database}: SQLAlchemy has no dialect '{address.drivername}'; {package}, or name another, such as "
            "postgresql or mysql+pymysql"
        ) from None
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(**SNAPSHOTS.get(dialect, {}))
            for statement in BEGIN.get(dialect, ()):
                connection.exec_driver_sql(statement)
            yield Database(connection, place_of(address), identity_of(address))
            connection.rollback()
    except SQLAlchemyError as error:
        where = f"the database that {database} names" if isinstance(database, Secret) else database
        raise DataError(f"{where} cannot be read: {reason(error)}") from None


def place_of(address: URL) -> str:
    """Return an address to be shown, without user, password and options."""
    from sqlalchemy import URL

    place = URL.create(address.drivername, host=address.host, port=address.port, database=address.database)
    return place.render_as_string()


def identity_of(address: URL) -> str:
    """Return a digest of all of an address that may decide which data it leads to.

    Passwords are no part of it, neither the address's own nor those in its options, so that none can be guessed from
    the digest.
    """
    options = {
        name: [_without_passwords(value) for value in values]
        for name, values in sorted(address.normalized_query.items())
        if not SECRET_NAME.search(name)
    }
    database = address.database and _without_passwords(address.database)
    parts = (address.drivername, address.username, address.host, address.port, database, options)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _without_passwords(text: str) -> str:
    return SECRET_PAIR.sub("", SECRET_IN_URL.sub(r"\1@", text))


def reason(error: Exception) -> str:
    """Return the first two lines of the driver's message, which leaves out the statement."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return "; ".join(line.strip() for line in lines[:2] if line.strip(" ^")) or type(error).__name__


def _install(dialect: str, error: ImportError) -> str:
    """Return the command that installs a driver; most are called like the module that is missing."""
    return INSTALL if dialect == "postgresql" and error.name == "psycopg" else f"pip install {error.name}"


def _address(url: Secret) -> URL:
    """Return the address that a secret holds; errors do not show it."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url.reveal())
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{url} does not hold the address of a database; right is postgresql://user:password@host:5432/name"
        ) from None
    address = address.set(drivername=DRIVERS.get(address.drivername, address.drivername))
    if address.get_backend_name() in ("sqlite", "duckdb") and address.database not in (None, "", ":memory:"):
        # Their drivers would make an empty one, SQLite by a URI only in another mode.
        if "uri" in address.query and str(address.database).startswith("file:"):
            return address if "mode" in address.query else address.update_query_dict({"mode": "rw"})
        _check_exists(Path(str(address.database)))
    return address


def _address_of_file(file: Path) -> URL:
    from sqlalchemy import URL

    _check_exists(file)
    with file.open("rb") as content:
        head = content.read(64)
    for mark, (place, dialect) in FILES.items():
        if head[place:].startswith(mark):
            return URL.create(dialect, database=str(file))
    raise DataError(f"{file} is a database of neither SQLite nor DuckDB")


def _check_exists(file: Path) -> None:
    if not file.is_file():
        raise DataError(f"{file}: no such file")
