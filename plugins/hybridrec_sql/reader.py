"""Reader `sql`: like the reader `table`, with results of queries in place of files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from hybridrec import DataError, InputPath, Secret, TableOptions, TableReader
from hybridrec_sql.database import connected
from hybridrec_sql.results import BATCH, frame_of, is_ordered

if TYPE_CHECKING:
    import polars as pl


def _not_an_address(value: object) -> object:
    if isinstance(value, str) and "://" in value and not value.startswith(("env:", "file:")):
        raise PydanticCustomError(
            "secret",  # so that the address, which may hold a password, is not shown
            "an address is not written down: say `env:NAME` for an environment variable that holds it, or `file:PATH`",
        )
    return value


Place: TypeAlias = Annotated[Secret | InputPath, Field(union_mode="left_to_right"), BeforeValidator(_not_an_address)]
"""Secret that holds the address of a database, or path of a file."""


class SqlOptions(TableOptions):
    """Options of `sql`: the database, the queries, and the roles of the columns of their results."""

    database: Place = Field(examples=["env:DATABASE_URL"])
    """Environment variable (`env:NAME`) or file (`file:PATH`) that holds the address of the database, such as
    `postgresql://user:password@host/name`, in any dialect of SQLAlchemy whose driver is installed; or the path of a
    file of SQLite or DuckDB.
    """

    queries: dict[str, str] = Field(min_length=1, examples=[{"plays": "SELECT uid, song FROM plays"}])
    """Name -> query or name of a table; `path: frame:NAME` stands for its result. Without `ORDER BY` the rows are
    sorted by their values, since a database may return them in any order.
    """

    version: str | None = None
    """Query whose result changes whenever the data do, such as `SELECT count(*), max(heard) FROM plays`. While its
    result stays the same, the data are taken from the store; without it they are read in every run.
    """


# The example of the reader `table` has a file in this place.
SqlOptions.model_fields["interactions"].examples = [{"path": "frame:plays", "user": "uid", "item": "song"}]


class SqlReader(TableReader):
    """Reader of queries and tables of any database that SQLAlchemy has a driver for.

    Results are fetched in batches, within one transaction that only reads. Ids become codes batch by batch, so that
    neither a result nor a column of ids is ever in memory as Python objects.
    """

    name: ClassVar[str] = "sql"
    Config: ClassVar[type[TableOptions]] = SqlOptions
    config: SqlOptions

    @property
    def makes(self) -> Collection[str]:
        """Names of the queries, by which paths refer to their results."""
        return self.config.queries.keys()

    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Return the frames, and the results of the queries that paths refer to: name -> frame.

        Raises DataError with the name of the query.
        """
        columns: dict[str, set[str]] = {}
        ids: dict[str, set[str]] = {}
        file: Any
        for file in self.files():
            name = file.frame
            if name is None or name not in self.makes or name in self.frames:
                continue
            columns.setdefault(name, set()).update(_texts(file.model_dump()))
            ids.setdefault(name, set()).update(_id_columns(file))
        results: dict[str, pl.DataFrame] = {}
        if columns:
            with connected(self.config.database) as database:
                for name, wanted in columns.items():
                    query = self.config.queries[name]
                    try:
                        batches = database.batches(query, BATCH)
                        results[name] = frame_of(batches, wanted, ids[name], ordered=is_ordered(query))
                    except DataError as error:
                        raise DataError(f"data.queries.{name}: {error}") from None
        return {**results, **self.frames}

    def fingerprint(self) -> str | None:
        """Return a digest of the database's address, without passwords, and the result of `version`.

        Returns None without the option `version`, and if files or frames are read as well.
        """
        query = self.config.version
        files: list[Any] = list(self.files())
        if query is None or self.frames or any(file.frame is None for file in files):
            return None
        with connected(self.config.database) as database:
            try:
                rows = [tuple(row) for _, batch in database.batches(query, BATCH) for row in batch]
            except DataError as error:
                raise DataError(f"data.version: {error}") from None
            return hashlib.blake2b(repr((database.identity, rows)).encode(), digest_size=16).hexdigest()


def _texts(options: Any) -> Iterator[str]:
    """Yield all texts in the options of a table, among which are the names of all columns that they use."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping):
        for name, value in options.items():
            yield from _texts(name)
            yield from _texts(value)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from _texts(value)


def _id_columns(file: Any) -> Iterator[str]:
    """Yield the columns that, by the options of a table, hold ids or join the table with another one."""
    yield from (getattr(file, role) for role in ("user", "item", "id") if getattr(file, role, None))
    match = getattr(file, "match", None)
    if match is not None:
        yield from match.values()
    if getattr(file, "join", None) is not None:
        yield from file.join.match
