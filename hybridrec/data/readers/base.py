"""Base class of readers, which turn files into a Dataset."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hybridrec.data.dataset import Dataset
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.plugin import Plugin

if TYPE_CHECKING:
    import polars as pl


class Reader(Plugin):
    """Base class of readers: `read` turns files into a Dataset.

    `Config` holds the paths of the files, which are relative to the config file.

    A reader whose options derive from `BadLineOptions` reports malformed lines to `bad_lines`, which `read` creates:
    `self.bad_lines = BadLines(strict=self.config.strict)`.
    """

    bad_lines: BadLines | None = None
    frames: Mapping[str, pl.DataFrame] = MappingProxyType({})
    """The tables that were handed in from Python, by name."""

    @property
    def makes(self) -> Collection[str]:
        """The names of tables that the reader makes itself. A path may refer to them by `frame:NAME`, as to a frame."""
        return ()

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options with which this reader reads these files; None, the default, if it cannot read them.

        `hybridrec init` calls it on every reader, with the files that it was given and the files of the folders that it
        was given. Judge by names and first lines, as files may be large. A reader whose format has no characteristic
        names keeps the default.
        """
        return None

    @abstractmethod
    def read(self) -> Dataset:
        """Read all data; raises DataError with file and line if something is wrong."""

    def fingerprint(self) -> str | None:
        """Return a text that changes whenever `read` would return other data; None, the default, if it costs too much.

        For example a snapshot id, an ETag, or the largest row id with the time of the last change. If the store has the
        data that this version of the reader read with equal options and an equal text, `read` is not called.
        """
        return None

    def notes(self) -> list[str]:
        """Return notes for the report on the data just read, a sentence each: by default on skipped lines."""
        return [] if self.bad_lines is None else self.bad_lines.notes()
