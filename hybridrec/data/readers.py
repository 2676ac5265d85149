"""Readers: from files to a Dataset."""

from __future__ import annotations

from abc import abstractmethod

from hybridrec.data.dataset import Dataset
from hybridrec.data.malformed import Malformed
from hybridrec.plugin import Plugin


class Reader(Plugin):
    """Reads files into a Dataset. `Config` holds the paths; relative paths are relative to the config file.

    A reader whose options derive from `Tolerance` reports malformed lines to `malformed`, which `read`
    makes anew: `self.malformed = Malformed(strict=self.config.strict)`.
    """

    malformed: Malformed | None = None

    @abstractmethod
    def read(self) -> Dataset:
        """The whole data; raises DataError with file and line where something is wrong."""

    def notes(self) -> list[str]:
        """What a reader of the report should know about the data just read: the lines passed over."""
        return [] if self.malformed is None else self.malformed.notes()
