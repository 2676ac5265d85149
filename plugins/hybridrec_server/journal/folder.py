"""Folder of a log: the places of its files, and the lock by which one process appends to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridrec import ConfigError, replacing

MARKER = "log.json"
"""Name of the file that says what the folder is."""
FORMAT = {"format": "hybridrec log", "version": 1}
"""Content of the marker."""


class LogFolder:
    """Folder of a log: `journal/`, where records are appended, and Parquet files in `exposures/` and `events/`."""

    def __init__(self, path: Path) -> None:
        """Set the folder, which need not be there yet."""
        self.path = path
        self.journal = path / "journal"
        self.requests = path / "requests"
        """Requests to forget people, which the process that holds the lock carries out."""

    def make(self) -> None:
        """Make the folder if it is missing; raises ConfigError if something else is in it, or it cannot be written."""
        marker = self.path / MARKER
        try:
            if not marker.exists():
                if self.path.is_dir() and any(self.path.iterdir()):
                    raise ConfigError(f"{self.path} is not the folder of a log: name an empty one")
                self.path.mkdir(parents=True, exist_ok=True, mode=0o700)  # for nobody else: these are data of people
                with replacing(marker) as file:
                    file.write(json.dumps(FORMAT).encode())
            for folder in (self.journal, self.requests, self.path / "exposures", self.path / "events"):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"the log {self.path} cannot be written: {error}") from None
        self.check()

    def check(self) -> None:
        """Raise ConfigError if this is not the folder of a log, or one of a later version."""
        try:
            marker = json.loads((self.path / MARKER).read_bytes())
        except (OSError, ValueError):
            raise ConfigError(f"{self.path} is not the folder of a log: it has no {MARKER}") from None
        if not isinstance(marker, dict) or marker.get("format") != FORMAT["format"]:
            raise ConfigError(f"{self.path} is not the folder of a log: {MARKER} does not say so")
        if marker.get("version") != FORMAT["version"]:
            raise ConfigError(f"{self.path}: version {marker.get('version')} of logs; right is {FORMAT['version']}")

    def segments(self) -> list[tuple[int, Path]]:
        """Return the files of the journal by their numbers."""
        return sorted((int(file.stem), file) for file in self.journal.glob("*.journal") if file.stem.isdecimal())

    def segment(self, number: int) -> Path:
        """Return the path of a file of the journal."""
        return self.journal / f"{number:010d}.journal"

    def parts(self, kind: str) -> list[Path]:
        """Return the Parquet files of a table, in the order in which their rows were appended."""
        return sorted((self.path / kind).glob("part-*.parquet"))

    def part_file(self, kind: str, number: int) -> Path:
        """Return the path of the Parquet file that a file of the journal rotates into."""
        return self.path / kind / f"part-{number:010d}.parquet"

    @contextmanager
    def locked(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Hold a lock of the folder, which a process that ends, however it ends, leaves; yield False if it is taken.

        name: `append`, which the one process that appends to the journal holds, or `rotate`, held while Parquet files
            are written
        """
        import fcntl

        descriptor = os.open(self.path / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)
