"""A content-addressed store of named arrays, by which nothing is fitted twice.

An artifact is a file named by its key. It is written under a temporary name and then renamed, so that it is either
whole or absent, whenever a process is killed. Damage by a failure of the machine is detected by checksums, and the
artifact is made again. If two processes write the same key, one copy stays; both are equal, since the key is a digest
of everything that decides the content. Large artifacts are mapped into memory, so that all processes that use one
share one copy.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridrec.errors import StoreError
from hybridrec.inference.array_file import manifest_of, read_artifact, write_artifact
from hybridrec.paths import check_key
from hybridrec.types import State

_ABANDONED = 24 * 3600.0
_HIDDEN = re.compile(r"\.[0-9a-f]{32}\.[0-9]+\.[0-9a-f]{8}")
"""Pattern of the names that `_hidden` returns."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An entry of the store: its key, file, size, time of last use and metadata."""

    key: str
    path: Path
    bytes: int
    used: float
    """Time of the last read or write, in seconds since 1970."""
    about: dict[str, Any]


class Store:
    """A store of artifacts, which are named arrays under a key, in a folder."""

    def __init__(self, folder: Path) -> None:
        """Use this folder, which is created when something is first stored."""
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, with an absolute path: another process may have another working folder."""
        return {**vars(self), "folder": self.folder.resolve()}

    @classmethod
    def default(cls) -> Store:
        """Return the store of the user: `$HYBRIDREC_STORE`, or `.hybridrec/store` below the working folder."""
        return cls(Path(os.environ.get("HYBRIDREC_STORE", ".hybridrec/store")))

    def _path(self, key: str) -> Path:
        """Return the path of an artifact; raises StoreError for an invalid key, such as one with a path in it."""
        name = check_key(key)
        return self.folder / name[:2] / name

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str) -> State | None:
        """Return the arrays stored under a key, verified by their checksums; None if there are none.

        Raises StoreError if the artifact is damaged; `drop(key)` removes it.
        """
        path = self._path(key)
        try:
            state = read_artifact(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error})") from None
        with suppress(OSError):  # removed by another process meanwhile, or a store that may only be read
            os.utime(path)
        return state

    def about(self, key: str) -> dict[str, Any] | None:
        """Return the metadata of an artifact; None if it does not exist or is damaged."""
        path = self._path(key)
        try:
            about: dict[str, Any] = manifest_of(path)["about"]
        except (OSError, StoreError):
            return None
        return about

    def find(self, key: str) -> State | None:
        """Return the arrays stored under a key, as `get` does, but remove a damaged artifact and return None for it."""
        try:
            return self.get(key)
        except StoreError:
            self.drop(key)
            return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Store named arrays under a key, unless the key exists; `about` is metadata that can be written as JSON."""
        if key in self:
            return
        final = self._path(key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.is_dir():  # nothing that a store writes: a file cannot be renamed to the name of a folder
            self.drop(key)
        partial = _hidden(final)
        try:
            write_artifact(partial, key, state, about or {})
            _publish(partial, final)
        except BaseException:
            _remove(partial)
            raise

    def drop(self, key: str) -> None:
        """Remove an artifact, damaged or not; if it does not exist, do nothing."""
        path = self._path(key)
        doomed = _hidden(path)
        with suppress(OSError):
            path.rename(doomed)
        _remove(doomed)

    def artifacts(self) -> list[Artifact]:
        """Return all complete artifacts, least recently used first."""
        artifacts = []
        for path in self.folder.glob("??/[!.]*"):
            with suppress(OSError, StoreError):  # removed meanwhile, damaged, or a folder
                if path != self._path(path.name):
                    continue  # somebody else's file, which may not be removed
                about, status = manifest_of(path)["about"], path.stat()
                artifacts.append(Artifact(path.name, path, status.st_size, status.st_mtime, about))
        return sorted(artifacts, key=lambda artifact: artifact.used)

    def collect(self, keep_bytes: int, older_than: float) -> list[Artifact]:
        """Remove artifacts that were not used for `older_than` seconds, and return the removed artifacts.

        If the store is larger than `keep_bytes`, the least recently used artifacts are removed, too, until it is not.
        Temporary files of processes that were killed more than a day ago are removed as well.
        """
        now = time.time()
        for partial in self.folder.glob("??/.*"):
            with suppress(OSError):  # its owner is done with it
                if _HIDDEN.fullmatch(partial.name) and now - partial.stat().st_mtime > _ABANDONED:
                    _remove(partial)
        artifacts = self.artifacts()
        excess = sum(artifact.bytes for artifact in artifacts) - keep_bytes
        removed = []
        for artifact in artifacts:
            if excess > 0 or now - artifact.used > older_than:
                self.drop(artifact.key)
                excess -= artifact.bytes
                removed.append(artifact)
        return removed


class NullStore(Store):
    """A store that keeps nothing, for results that are not worth the disk space."""

    def __init__(self) -> None:
        """Create a store without a folder."""
        super().__init__(Path(os.devnull))

    def get(self, key: str) -> State | None:
        """Return None, as for a key that does not exist."""
        return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Discard the arrays."""


def _hidden(final: Path) -> Path:
    """Return a unique, hidden path beside an artifact, for a file that is being written or removed."""
    return final.parent / f".{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def _publish(partial: Path, final: Path) -> None:
    """Rename a complete file to its final path, unless another process was first."""
    try:
        partial.replace(final)
    except OSError:  # some systems do not replace what is in use: another process was first
        if not final.exists():
            raise
        _remove(partial)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with its content, and ignore errors."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
