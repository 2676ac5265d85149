"""`sql-plays`: reads plays and songs from a database, with a secret if it needs one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from hybridrec import ConfigError, DataError, Dataset, Options, Reader, Secret, Tables, assemble

if TYPE_CHECKING:
    import sqlalchemy


class SqlPlaysOptions(Options):
    """Options of `sql-plays`; a statement may name the secret: `select ... from plays where token = :secret`."""

    url: str
    """Address of the database, without a password: `sqlite:///shop.db`, `postgresql+psycopg://reader@host/shop`."""
    secret: Secret | None = None
    """Value of `:secret` in the statements, and the password if the address has a user: `env:NAME` or `file:PATH`."""
    plays: str = "select user, item, time from plays"
    """Statement that returns the interactions with `user`, `item`, `time`; times are in seconds since 1970."""
    songs: str | None = None
    """Statement that returns `id` and `text` of the items."""
    newest: str | None = None
    """Statement that returns one value, which changes when the data does: `select max(id) from plays`."""


class SqlPlays(Reader):
    """Reader of interactions and names of items from any database that SQLAlchemy can connect to."""

    name = "sql-plays"
    check_configs = ({"url": "sqlite://", "plays": "select 'ann' as user, 'a' as item, 5.0 as time"},)
    requires = ("sqlalchemy",)
    Config = SqlPlaysOptions
    config: SqlPlaysOptions

    def read(self) -> Dataset:
        """Read the data in blocks; raises DataError if the database refuses the connection or a statement."""
        import sqlalchemy

        try:
            with self._engine().connect() as connection:
                return assemble(self._blocks(connection))
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise DataError(f"reader sql-plays: {self.config.url}: {error}") from None

    def fingerprint(self) -> str | None:
        """Return the value of the statement `newest`, None if the option is not given."""
        import sqlalchemy

        if self.config.newest is None:
            return None
        try:
            with self._engine().connect() as connection:
                return str(connection.execute(*self._query(self.config.newest)).scalar())
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise DataError(f"reader sql-plays: {self.config.url}: {error}") from None

    def _blocks(self, connection: sqlalchemy.Connection) -> Iterator[Tables]:
        """Yield the plays in blocks, each with the names of all songs."""
        songs: pl.DataFrame | None = None
        if self.config.songs is not None:
            query, parameters = self._query(self.config.songs)
            songs = pl.read_database(query, connection, execute_options={"parameters": parameters})
        query, parameters = self._query(self.config.plays)
        given = {"parameters": parameters}
        for block in pl.read_database(query, connection, iter_batches=True, batch_size=200_000, execute_options=given):
            yield Tables(block, entities={"items": songs})

    def _query(self, statement: str) -> tuple[sqlalchemy.TextClause, dict[str, str]]:
        """Return a statement and the values of its parameters; raises ConfigError if the secret is missing."""
        import sqlalchemy

        query = sqlalchemy.text(statement)
        if "secret" not in query.compile().params:
            return query, {}
        if self.config.secret is None:
            raise ConfigError("reader sql-plays: a statement names :secret, but the option `secret` is not given")
        return query, {"secret": self.config.secret.reveal()}

    def _engine(self) -> sqlalchemy.Engine:
        """Return an engine that keeps no connection and puts no parameter into its errors."""
        import sqlalchemy

        url = sqlalchemy.make_url(self.config.url)
        if url.username and self.config.secret is not None:
            url = url.set(password=self.config.secret.reveal())
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, hide_parameters=True)
