"""A content-addressed store of named arrays: nothing is fitted twice.

One artifact is a file named by its key. It is written under a temporary name and renamed, so that it is either
whole or absent whenever a process ends; damage by a failure of the machine is detected by the checksums, and the
artifact is made again. If two processes write the same key, one copy stays; both are equal by
construction. Large artifacts are mapped into memory, so that all processes that use one share one copy.
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
    """One entry of the store."""

    key: str
    path: Path
    bytes: int
    used: float
    """Time of the last read or write, in seconds since 1970."""
    about: dict[str, Any]


class Store:
    """Artifacts under a folder, by key."""

    def __init__(self, folder: Path) -> None:
        """Use (and create when first written to) this folder."""
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with an absolute path: another process may have another working folder."""
        return {**vars(self), "folder": self.folder.resolve()}

    @classmethod
    def default(cls) -> Store:
        """Return the store of the user: `$HYBRIDREC_STORE`, or `.hybridrec/store` below the working folder."""
        return cls(Path(os.environ.get("HYBRIDREC_STORE", ".hybridrec/store")))

    def _path(self, key: str) -> Path:
        """Return the path of an artifact; raises StoreError for an invalid key, which might lead to another folder."""
        name = check_key(key)
        return self.folder / name[:2] / name

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str) -> State | None:
        """Return the arrays stored under a key, checked against their checksums; None if there are none.

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
        """Return the arrays as `get` does, but drop a damaged artifact and return None, so that it is made again."""
        try:
            return self.get(key)
        except StoreError:
            self.drop(key)
            return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Store named arrays under a key; `about` is metadata as JSON, for people who inspect the store."""
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
        """Remove an artifact, damaged or not; nothing happens if it does not exist."""
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
        """Remove artifacts unused for `older_than` seconds, then the least recently used above `keep_bytes`.

        Returns the removed artifacts. Leftovers of processes that were killed more than a day ago are removed, too.
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
        """Return None."""
        return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Discard the arrays."""


def _hidden(final: Path) -> Path:
    """Return a unique name next to an artifact, for a file that is being written or removed."""
    return final.parent / f".{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def _publish(partial: Path, final: Path) -> None:
    """Rename a complete file into its place."""
    try:
        partial.replace(final)
    except OSError:  # some systems do not replace what is in use: another process was first
        if not final.exists():
            raise
        _remove(partial)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with its content, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
