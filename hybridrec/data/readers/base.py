"""Readers: from files to a Dataset."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybridrec.data.dataset import Dataset
from hybridrec.data.io.bad_lines import Malformed
from hybridrec.plugin import Plugin


class Reader(Plugin):
    """Reads files into a Dataset. `Config` holds the paths; relative paths are relative to the config file.

    A reader whose options derive from `Tolerance` reports malformed lines to `malformed`, which `read`
    makes anew: `self.malformed = Malformed(strict=self.config.strict)`.
    """

    malformed: Malformed | None = None

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Options that read these files, where they are the format that this reader is for; None for all others.

        `hybridrec init` asks every reader with the files it was given, those of a folder one by one. Names and
        first lines have to do, as files may be large. A format without names of its own is recognised by none.
        """
        return None

    @abstractmethod
    def read(self) -> Dataset:
        """The whole data; raises DataError with file and line where something is wrong."""

    def notes(self) -> list[str]:
        """What a reader of the report should know about the data just read: the lines passed over."""
        return [] if self.malformed is None else self.malformed.notes()
