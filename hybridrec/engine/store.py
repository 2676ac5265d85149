"""A content-addressed store of named arrays, by which nothing is fitted twice.

An artifact is a file named by its key. It is written under a temporary name and then gets its final name, so that it is
either whole or absent, whenever a process is killed. Damage by a failure of the machine is detected by checksums, and
the artifact is made again. If two processes write the same key, the first one's copy stays. Both have the same arrays,
since the key is a digest of everything that decides them; arrays that differ are an error. Large artifacts are mapped
into memory, so that all processes that use one share one copy.
"""

from __future__ import annotations

import math
import os
import platform
import stat
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridrec.errors import StoreError, format_size
from hybridrec.inference.array_file import manifest_of, read_artifact, write_artifact
from hybridrec.paths import check_key, partial_path, remove, sweep, writing
from hybridrec.types import DAY, State

_KEPT = "what was stored before is kept, and the same command goes on from there"
DAMAGED = {"damaged": True}
"""The metadata that `artifacts` gives for a damaged artifact."""
LEASES = "leases"
"""Name of the folder, in that of a store, of the leases of workers."""
REPRODUCIBLE = "reproducible"
"""Key in the metadata of an artifact; its value is false if making it once more may give other arrays."""
BY = "by"
"""Key in the metadata of an artifact; its value names the process that stored it."""


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
        self.touched: set[str] = set()
        """Keys that were looked up or written by this process."""
        self.doubled: set[str] = set()
        """Keys whose arrays this process made, but another process had stored meanwhile."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, with an absolute path: another process may have another working folder."""
        return {**vars(self), "folder": self.folder.resolve(), "touched": set(), "doubled": set()}

    @classmethod
    def default(cls) -> Store:
        """Return the store of the user: `$HYBRIDREC_STORE`, or `.hybridrec/store` below the working folder.

        Raises StoreError if that is an address in object storage, which `open_store` opens.
        """
        place = os.environ.get("HYBRIDREC_STORE") or ".hybridrec/store"
        if "://" in place:
            raise StoreError(f"{place} is an address, not a folder: `open_store(None)` opens it")
        return cls(Path(place))

    @property
    def place(self) -> str:
        """The absolute path or the address of the store, for messages."""
        return str(self.folder.resolve())

    def absolute(self) -> Store:
        """Return the same store by its absolute path, for plugins that change the working folder."""
        return Store(self.folder.absolute())

    def _path(self, key: str) -> Path:
        """Return the path of an artifact; raises StoreError for an invalid key, such as one with a path in it."""
        name = check_key(key)
        return self.folder / name[:2] / name

    def _use(self, key: str) -> Path:
        """Return the path of an artifact, record its key in `touched`, and renew the time of its last use."""
        self.touched.add(key)
        path = self._path(key)
        with suppress(OSError):  # there is none yet, or a store that may only be read
            os.utime(path, follow_symlinks=False)
        return path

    def __contains__(self, key: str) -> bool:
        return self._use(key).is_file()

    def get(self, key: str) -> State | None:
        """Return the arrays stored under a key, verified by their checksums; None if there are none.

        Raises StoreError if the artifact is damaged; `drop(key)` removes it.
        """
        path = self._use(key)
        try:
            state = read_artifact(path, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error})") from None
        return state

    def about(self, key: str) -> dict[str, Any] | None:
        """Return the metadata of an artifact; None if it does not exist or is damaged."""
        path = self._use(key)
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
        """Store named arrays under a key; `about` is metadata that can be written as JSON.

        If the store has them already, the copy that was first stays, with its metadata, and `doubled` records the key.
        Raises StoreError if the store has other arrays under this key, unless the metadata say that they are not
        `REPRODUCIBLE`, and WriteError if the disk does not take them.
        """
        final = self._use(key)
        partial = partial_path(final)
        try:
            with writing(self.folder, _KEPT):
                final.parent.mkdir(parents=True, exist_ok=True)
                made = write_artifact(partial, key, state, {**(about or {}), BY: this_process()})
                stored = self._publish(partial, key)
            if stored is not None:
                _refuse_difference(self._address(key), stored, made)
                self.doubled.add(key)
        finally:
            remove(partial)

    def _address(self, key: str) -> str:
        """Return the place of an artifact for messages."""
        return str(self._path(key))

    def _publish(self, partial: Path, key: str) -> dict[str, Any] | None:
        """Give a complete file the name of a key, unless the store has an artifact of this name.

        Returns the manifest of that artifact, or None if the file got the name. A damaged artifact makes room.
        """
        final = self._path(key)
        while not _named(partial, final):
            try:
                return manifest_of(final)
            except FileNotFoundError:  # removed meanwhile
                continue
            except StoreError:  # damaged, or nothing that a store writes
                if not self.drop(key):
                    raise
        return None

    def drop(self, key: str) -> bool:
        """Remove the artifact under a key, damaged or not; return True if it is gone, or there was none.

        Another process may store the key anew meanwhile.
        """
        path = self._path(key)
        doomed = partial_path(path)
        try:
            path.rename(doomed)
        except OSError:
            return not path.exists()
        remove(doomed)
        return True

    def artifacts(self) -> list[Artifact]:
        """Return all artifacts, least recently used first; the metadata of a damaged one is `DAMAGED`."""
        artifacts = []
        for path in self.folder.glob("??/[!.]*"):
            with suppress(OSError, StoreError):  # removed meanwhile, or not a name of ours
                status = path.stat()
                if path != self._path(path.name) or not stat.S_ISREG(status.st_mode):
                    continue  # somebody else's file, which may not be removed
                about = DAMAGED
                with suppress(StoreError):
                    about = manifest_of(path)["about"]
                artifacts.append(Artifact(path.name, path, status.st_size, status.st_mtime, about))
        return sorted(artifacts, key=lambda artifact: artifact.used)

    def sweep(self) -> None:
        """Remove the temporary files of processes that have ended, and leases that were not renewed for a day."""
        for pattern in ("??/.*", f"{LEASES}/.*"):
            sweep(self.folder, pattern)
        for lease in (self.folder / LEASES).glob("[!.]*"):
            with suppress(OSError):
                if time.time() - lease.stat().st_mtime > DAY:
                    lease.unlink()

    def collect(self, keep_bytes: int, older_than: float, spare: Collection[str] = ()) -> list[Artifact]:
        """Remove old artifacts, and return those that were removed.

        Artifacts that were not used for `older_than` seconds are removed. If the store is larger than `keep_bytes`, the
        least recently used artifacts are also removed, until it is at most so large. Artifacts whose keys are in
        `spare` stay. Temporary files of processes that have ended are removed as well.
        Raises StoreError if an artifact cannot be removed.
        """
        now = time.time()
        self.sweep()
        artifacts = self.artifacts()
        excess = sum(artifact.bytes for artifact in artifacts) - keep_bytes
        removed, kept = [], 0
        for artifact in artifacts:
            if artifact.key in spare or not (excess > 0 or now - artifact.used > older_than):
                continue
            if self.drop(artifact.key):
                excess -= artifact.bytes
                removed.append(artifact)
            else:
                kept += 1
        if kept:
            raise StoreError(
                f"{self.folder}: {kept} artifacts cannot be removed, {len(removed)} were: is the folder read-only?"
            )
        return removed

    def limit(self, most: int) -> list[str]:
        """Remove the least recently used artifacts until the store has at most `most` bytes.

        Artifacts that this process used are never removed. Returns notes for the user: on the artifacts that were
        removed, and on a store that is still larger.
        """
        try:
            removed = self.collect(most, math.inf, self.touched)
        except StoreError as error:
            return [str(error)]
        notes = []
        if removed:
            size = sum(artifact.bytes for artifact in removed)
            notes.append(
                f"the store had more than {format_size(most)} (`store: {{max: ...}}`): the {len(removed)} artifacts "
                f"that were not used for longest, {format_size(size)}, were removed"
            )
        if (size := sum(artifact.bytes for artifact in self.artifacts())) > most:
            notes.append(
                f"this run alone needs {format_size(size)} of the store, more than {format_size(most)} "
                "(`store: {max: ...}`): what it used was kept"
            )
        return notes


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


def this_process() -> str:
    """Return the name of this process among those that share a store: that of its machine, and its number there."""
    return f"{platform.node() or 'a machine without a name'}, process {os.getpid()}"


def _refuse_difference(place: str, stored: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Raise StoreError if two artifacts of one key, given by their manifests, differ though they are reproducible.

    place: the path or address of the artifact that is stored
    """
    about = made["about"]
    same = (stored["arrays"], stored["checksum"]) == (made["arrays"], made["checksum"])
    if same or about.get(REPRODUCIBLE) is False:
        return
    doing = " ".join(f"{name} {about[name]}" for name in ("component", "label", "fold") if name in about)
    raise StoreError(
        f"{place}: {stored['about'].get(BY, 'an earlier process')} stored other arrays under this key than "
        f"{about[BY]} made{doing and f' for {doing}'}, from the same data, options, code and libraries: a plugin is "
        "not reproducible and does not say so (`reproducible = False`), or the machines compute differently. What was "
        "stored first is kept"
    )


def _named(partial: Path, final: Path) -> bool:
    """Give a complete file its final name; return False, and change nothing, if a file has this name already."""
    try:
        final.hardlink_to(partial)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if final.exists():
            return False
        partial.replace(final)
    return True
