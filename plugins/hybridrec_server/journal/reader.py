"""Reader `events`: learns from the log of a server, alone or beside the interactions that came before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from hybridrec import ConfigError, DataError, Dataset, InputPath, Interactions, TableOptions, TableReader
from hybridrec_server.journal.folder import MARKER, LogFolder
from hybridrec_server.journal.frames import KINDS
from hybridrec_server.journal.tables import read_table

if TYPE_CHECKING:
    import polars as pl

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
        """Read all data; raises DataError for a folder without events, and for events of a kind without a meaning."""
        try:
            LogFolder(self.config.log).check()
        except ConfigError as error:
            raise DataError(str(error)) from None
        named = {getattr(file, "frame", None) for file in self.files()}
        self._tables = {
            kind: read_table(LogFolder(self.config.log), kind) for kind in KINDS if kind == "events" or kind in named
        }
        if not len(self._tables["events"]):
            raise DataError(f"{self.config.log} has no events yet")
        if self.config.kinds:
            return super().read()
        given = self.config
        # The kinds that do occur, as a kind that does not would be an error: a log of a day may lack some.
        self.config = given.model_copy(update={"kinds": self._kinds()})
        try:
            return super().read()
        finally:
            self.config = given

    def sources(self) -> list[Interactions]:
        """Return the options of the interactions from before the log, and of its events."""
        sources = super().sources()
        if any(source.frame == "events" for source in sources):
            return sources
        before = self.config.interactions
        missing = [role for role in ("position", "group", "context") if getattr(before, role)]
        if missing:
            raise DataError(f"{before.path}: the log has no `{missing[0]}`; leave it out, or read the file alone")
        values = {role: "value" for role in ("weight", "gain") if getattr(before, role)}
        roles = {name: column for name, column in _ROLES.items() if name != "time" or before.time}
        return [*sources, Interactions.model_validate({"path": "frame:events", **roles, **values})]

    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Return the tables of the log that paths refer to, and the frames: name -> frame.

        An event without a value counts 1, and exposures of nobody are left out.
        """
        import polars as pl

        events = self._tables["events"].sort("unit", "time", "received", "event_id")
        tables = {**self._tables, "events": events.with_columns(pl.col("value").fill_null(1.0))}
        return {**{kind: table.filter(pl.col("unit").is_not_null()) for kind, table in tables.items()}, **self.frames}

    def _kinds(self) -> dict[str, float]:
        """Return the factors of the kinds that occur; raises DataError for a kind without a meaning."""
        sources = self.sources()
        if any(source.event is not None and source.frame != "events" for source in sources):
            raise DataError("`kinds` is needed where a column `event` has kinds: say what each of them counts")
        kinds = set(self._tables["events"]["kind"].unique())
        kinds |= {source.event_kind for source in sources if source.event_kind is not None}
        if unknown := sorted(kinds - EVENT_KINDS.keys()):
            raise DataError(
                f"there are events of the kind '{unknown[0]}', which may be good or bad: say it in `kinds`, such as "
                f"{{{', '.join(f'{kind}: {EVENT_KINDS.get(kind, 1):g}' for kind in sorted(kinds))}}}"
            )
        return {kind: EVENT_KINDS[kind] for kind in sorted(kinds)}
