"""Readers: from files to a Dataset."""

from __future__ import annotations

from abc import abstractmethod

from hybridrec.data.dataset import Dataset
from hybridrec.plugin import Plugin


class Reader(Plugin):
    """Reads files into a Dataset. `Config` holds the paths; relative paths are relative to the config file."""

    @abstractmethod
    def read(self) -> Dataset:
        """The whole data; raises DataError with file and line where something is wrong."""
