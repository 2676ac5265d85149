"""Base class of readers, which turn files into a Dataset."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hybridrec.data.dataset import Dataset
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.plugin import Plugin

if TYPE_CHECKING:
    import polars as pl


class Reader(Plugin):
    """Base of readers: files in, a Dataset out. `Config` holds the paths, which are relative to the config file.

    A reader whose options derive from `BadLineOptions` reports malformed lines to `bad_lines`, which `read` creates:
    `self.bad_lines = BadLines(strict=self.config.strict)`.
    """

    bad_lines: BadLines | None = None
    frames: Mapping[str, pl.DataFrame] = MappingProxyType({})
    """The tables that were handed in from Python, by name."""

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return options that read these files, if they have the format of this reader; None otherwise.

        `hybridrec init` asks every reader with the files it was given, those of a folder one by one. Judge by names and
        first lines, as files may be large. A format without characteristic names is recognised by no reader.
        """
        return None

    @abstractmethod
    def read(self) -> Dataset:
        """Read all data; raises DataError with file and line if something is wrong."""

    def fingerprint(self) -> str | None:
        """Return a text that changes whenever `read` would return something else; None, the default, if that is dear.

        For example a snapshot id, an ETag, or the largest row id with the time of the last change. Where the store has
        the data that this version of the reader read with equal options and an equal text, `read` is not called.
        """
        return None

    def notes(self) -> list[str]:
        """Return notes for the report on the data just read: the lines that were skipped."""
        return [] if self.bad_lines is None else self.bad_lines.notes()
