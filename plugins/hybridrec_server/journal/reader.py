"""Reader `events`: learns from the log of a server, alone or beside the interactions that came before it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from hybridrec import ConfigError, DataError, Dataset, InputPath, Interactions, TableOptions, TableReader, replacing
from hybridrec_server.journal.folder import MARKER, LogFolder
from hybridrec_server.journal.frames import KINDS, Damage, RecordKind
from hybridrec_server.journal.tables import distinct_parts

TABLES = tuple(KINDS)
"""Names by which paths refer to the tables of the log, such as `frame:exposures`."""
EVENT_KINDS = {"play": 1.0, "like": 1.0, "buy": 1.0, "skip": 0.0, "seen": 0.0, "dislike": -1.0}
"""Factors on the weights of events of the kinds that every server knows."""
_ROLES = {"user": "unit", "item": "item", "time": "time", "event": "kind"}


class EventsOptions(TableOptions):
    """Options of `events`: the folder of a log, and what is to be read beside it."""

    log: InputPath = Field(examples=["log"])
    """Folder of the log of a server, `log` in the folder of the server."""

    interactions: Interactions = Field(
        Interactions(path=Path("frame:events"), **_ROLES),
        examples=[{"path": "plays.csv", "user": "user", "item": "song", "time": "time", "event_kind": "play"}],
    )
    """Interactions from before the log; by default there are none. Each has a kind, by `event_kind` or a column
    `event`, as the events of the log have. Paths `frame:events` and `frame:exposures` are the tables of the log.
    """

    kinds: dict[str, float] = Field({}, examples=[{"play": 1, "buy": 5, "skip": 0, "seen": 0, "dislike": -1}])
    """Factors on the weights of events by kind; 0 leaves a kind out, and a negative one makes it a dislike. By default
    `play`, `like` and `buy` count 1, `skip` and `seen` 0, `dislike` is a dislike, and other kinds are an error.
    """


class EventsReader(TableReader):
    """Reader of the log of a server, in its Parquet files and in its journal, also while the server appends to it.

    Each event is read once. The users are the units of the log: persons or sessions, as requests name them.
    What describes items, and interactions from before, come from files as those of the reader `table`.
    """

    name: ClassVar[str] = "events"
    Config: ClassVar[type[TableOptions]] = EventsOptions
    config: EventsOptions
    _damages: dict[Path, Damage]

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if the files are those of one log, else None."""
        folders = {file.parent for file in files if file.name == MARKER}
        if len(folders) != 1 or len({file.parent for file in files}) != 1:
            return None
        folder = folders.pop()
        try:
            LogFolder(folder).check()
        except ConfigError:
            return None
        return {"log": folder}

    @property
    def makes(self) -> Collection[str]:
        """Names of the tables of the log, by which paths refer to them."""
        return TABLES

    def read(self) -> Dataset:
        """Read all data; raises DataError for a folder without events, and for events of a kind without a meaning.

        The tables of the log are copied to temporary files first, each row once, so that they are read as files are:
        column by column, and in blocks if they are long.
        """
        log, given = LogFolder(self.config.log), self.config
        self._event_kinds = set[str]()
        self._damages = {}
        try:
            log.check()
        except ConfigError as error:
            raise DataError(str(error)) from None
        named = {name for file in self.files() if (name := self._table_of(file)) is not None}
        with TemporaryDirectory(prefix="hybridrec-") as folder:
            self._copies = Path(folder)
            try:
                for table in KINDS:
                    if table == "events" or table in named:
                        self._copy(log, table)
                if not self._event_kinds:
                    raise DataError(f"{given.log} has no events yet")
                self.config = self._on_copies(given)
                if not given.kinds:
                    # The kinds that do occur, as a kind that does not would be an error: a log of a day may lack some.
                    self.config = self.config.model_copy(update={"kinds": self._kinds()})
                return super().read()
            except DataError as error:
                raise DataError(self._told(str(error))) from None
            finally:
                self.config = given

    def notes(self) -> list[str]:
        """Return notes on the data just read, and on files of the journal that the disk has damaged."""
        damaged = {path: damage.damaged for path, damage in self._damages.items() if damage.damaged}
        return [
            *(self._told(note) for note in super().notes()),
            *(
                f"{path}: {count:,} bytes are not records, as the disk lost or changed them; they were skipped"
                for path, count in damaged.items()
            ),
        ]

    def _told(self, message: str) -> str:
        """Return a message in which tables have the names by which paths refer to them, not those of their copies."""
        return message.replace(f"{self._copies}{os.sep}", "frame:")

    def sources(self) -> list[Interactions]:
        """Return the options of the interactions from before the log, and of its events."""
        sources = super().sources()
        copy = self._copies / "events"
        if any(source.path == copy for source in sources):
            return sources
        before = self.config.interactions
        missing = [role for role in ("position", "group", "context") if getattr(before, role)]
        if missing:
            raise DataError(f"{before.path}: the log has no `{missing[0]}`; leave it out, or read the file alone")
        values = {role: "value" for role in ("weight", "gain") if getattr(before, role)}
        roles = {name: column for name, column in _ROLES.items() if name != "time" or before.time}
        return [*sources, Interactions.model_validate({"path": copy, "format": "parquet", **roles, **values})]

    def _table_of(self, file: object) -> RecordKind | None:
        """Return the table of the log that the options of a file refer to, if they do; frames handed in come first."""
        name = getattr(file, "frame", None)
        return name if name in KINDS and name not in self.frames else None

    def _on_copies(self, options: Any) -> Any:
        """Return options in which files that are tables of the log lead to the copies, at any depth."""
        if isinstance(options, Mapping):
            return {name: self._on_copies(value) for name, value in options.items()}
        if not isinstance(options, BaseModel):
            return options
        update: dict[str, Any] = {name: self._on_copies(value) for name, value in options}
        if (table := self._table_of(options)) is not None:
            update |= {"path": self._copies / table, "format": "parquet"}
        return options.model_copy(update=update)

    def _copy(self, log: LogFolder, table: RecordKind) -> None:
        """Write the rows of a table, each once, to Parquet files in a folder of its name below the temporary one.

        An event without a value counts 1, and exposures of nobody are left out. The events of a person come by time.
        """
        import polars as pl

        folder = self._copies / table
        folder.mkdir()
        named = {*_texts(self.config), *_ROLES.values(), "value"}
        by_time = ("time", "received", "event_id")
        for number, rows in enumerate(distinct_parts(log, table, {*named, "unit", *by_time}, self._damages)):
            rows = rows.filter(pl.col("unit").is_not_null())
            if table == "events":
                if nulls := rows["kind"].null_count():
                    raise DataError(f"{log.path}: {nulls:,} events have no kind; a file is damaged")
                self._event_kinds |= set(rows["kind"].unique())
                rows = rows.sort("unit", *by_time).with_columns(pl.col("value").fill_null(1.0))
            with replacing(folder / f"{number:05d}") as file:
                rows.select(name for name in rows.columns if name in named).write_parquet(file)

    def _kinds(self) -> dict[str, float]:
        """Return the factors of the kinds that occur; raises DataError for a kind without a meaning."""
        sources = self.sources()
        if any(source.event is not None and source.path != self._copies / "events" for source in sources):
            raise DataError("`kinds` is needed where a column `event` has kinds: say what each of them counts")
        kinds = self._event_kinds | {source.event_kind for source in sources if source.event_kind is not None}
        if unknown := sorted(kinds - EVENT_KINDS.keys()):
            raise DataError(
                f"there are events of the kind '{unknown[0]}', which may be good or bad: say it in `kinds`, such as "
                f"{{{', '.join(f'{kind}: {EVENT_KINDS.get(kind, 1):g}' for kind in sorted(kinds))}}}"
            )
        return {kind: EVENT_KINDS[kind] for kind in sorted(kinds)}


def _texts(options: object) -> Iterator[str]:
    """Yield all texts in options, at any depth: among them are the names of the columns that they read."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping):
        yield from options
        yield from _texts(tuple(options.values()))
    elif isinstance(options, BaseModel):
        yield from _texts(tuple(value for _, value in options))
    elif isinstance(options, tuple | list):
        for value in options:
            yield from _texts(value)
