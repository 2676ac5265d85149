"""A content-addressed store of named arrays: what was fitted once is never fitted again.

One artifact is a folder named by its key: `<n>.npy` files and a `manifest.json` with their names and
checksums. It is written under a temporary name and renamed, and renamed again before it is removed, so
that whenever a process ends it is either whole or absent; what a failure of the machine leaves of one
differs from its checksums, and is made anew. Of two processes that write the same key the first wins
and the other's copy, equal by construction, is dropped. Large arrays are mapped into memory, so that
all processes that use an artifact share one copy of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from hybridrec.arrays import State
from hybridrec.errors import StoreError

MANIFEST = "manifest.json"
FORMAT = 1
_ABANDONED = 24 * 3600.0
_MAPPED = 1 << 20
"""Bytes from which a file is mapped into memory, not read: below, a mapping costs more than the copy."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One entry of the store."""

    key: str
    path: Path
    bytes: int
    used: float
    """When it was last read or written, seconds since 1970."""
    about: dict[str, Any]


class Store:
    """Artifacts under a folder, by key."""

    def __init__(self, folder: Path) -> None:
        """Use (and create when first written to) this folder."""
        self.folder = folder

    @classmethod
    def default(cls) -> Store:
        """The store of the user: `$HYBRIDREC_STORE`, or `.hybridrec/store` below the working folder."""
        return cls(Path(os.environ.get("HYBRIDREC_STORE", ".hybridrec/store")))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def __contains__(self, key: str) -> bool:
        return (self._path(key) / MANIFEST).exists()

    def get(self, key: str) -> State | None:
        """The arrays stored under a key, checked against their checksums; None if there are none.

        Raises StoreError if the artifact is damaged; `drop(key)` removes it.
        """
        path = self._path(key)
        try:
            manifest = _manifest(path)
        except FileNotFoundError:
            return None
        state = {name: _read(path / entry["file"], entry["checksum"]) for name, entry in manifest["arrays"].items()}
        with suppress(OSError):  # removed by another process meanwhile, or a store that may only be read
            os.utime(path / MANIFEST)
        return state

    def about(self, key: str) -> dict[str, Any] | None:
        """What was noted with an artifact; None if there is none, or it is damaged."""
        try:
            return cast(dict[str, Any], _manifest(self._path(key))["about"])
        except (FileNotFoundError, StoreError):
            return None

    def find(self, key: str) -> State | None:
        """Like `get`, but a damaged artifact is dropped and counts as absent, so that it is made anew."""
        try:
            return self.get(key)
        except StoreError:
            self.drop(key)
            return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Store named arrays under a key; `about` is JSON for people who look into the store."""
        final = self._path(key)
        if key in self:
            return
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = _hidden(final)
        partial.mkdir()
        try:
            arrays = {}
            for number, (name, array) in enumerate(sorted(state.items())):
                file = f"{number}.npy"
                if array.dtype.hasobject:
                    raise StoreError(f"'{name}' is an array of Python objects, which cannot be stored")
                arrays[name] = {"file": file, "checksum": _write(partial / file, array)}
            content = {"key": key, "about": about or {}, "arrays": arrays}
            manifest = {"format": FORMAT, "checksum": _json_checksum(content), "content": content}
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
            _publish(partial, final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def drop(self, key: str) -> None:
        """Remove an artifact, damaged or not; nothing happens if there is none."""
        path = self._path(key)
        doomed = _hidden(path)
        with suppress(OSError):
            path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def artifacts(self) -> list[Artifact]:
        """All whole artifacts, least recently used first."""
        found = []
        for manifest in self.folder.glob("??/*/" + MANIFEST):
            path = manifest.parent
            if path.name.startswith("."):
                continue
            try:
                about = _manifest(path)["about"]
                size = sum(file.stat().st_size for file in path.iterdir())
                found.append(Artifact(path.name, path, size, manifest.stat().st_mtime, about))
            except (OSError, StoreError):
                continue  # being removed by another process, or damaged: get() will say so
        return sorted(found, key=lambda artifact: artifact.used)

    def collect(self, keep_bytes: int, older_than: float) -> list[Artifact]:
        """Remove what was not used for `older_than` seconds, then the least recently used above `keep_bytes`.

        Returns what was removed. Leftovers of processes that were killed more than a day ago go too.
        """
        now = time.time()
        for partial in self.folder.glob("??/.*"):
            with suppress(OSError):  # its owner is done with it
                if now - partial.stat().st_mtime > _ABANDONED:
                    shutil.rmtree(partial, ignore_errors=True)
        artifacts = self.artifacts()
        excess = sum(artifact.bytes for artifact in artifacts) - keep_bytes
        removed = []
        for artifact in artifacts:
            if excess > 0 or now - artifact.used > older_than:
                self.drop(artifact.key)
                excess -= artifact.bytes
                removed.append(artifact)
        return removed


class Nowhere(Store):
    """A store that keeps nothing, for what is not worth its place on a disk."""

    def __init__(self) -> None:
        """There is no folder."""
        super().__init__(Path(os.devnull))

    def get(self, key: str) -> State | None:
        """Nothing."""
        return None

    def put(self, key: str, state: State, about: dict[str, Any] | None = None) -> None:
        """Keep nothing."""


def _hidden(final: Path) -> Path:
    """A name of its own beside an artifact, for what is being written or removed."""
    return final.parent / f".{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


def _manifest(path: Path) -> dict[str, Any]:
    """The checked content of an artifact's manifest; FileNotFoundError if there is none."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        version, checksum, content = (manifest[name] for name in ("format", "checksum", "content"))
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(f"{path}: the manifest cannot be read ({error})") from None
    if version != FORMAT:
        raise StoreError(f"{path}: written in format {version}, this version reads {FORMAT}")
    if _json_checksum(content) != checksum:
        raise StoreError(f"{path}: damaged (the checksum of the manifest differs)")
    return cast(dict[str, Any], content)


def _json_checksum(content: object) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def _write(path: Path, array: np.ndarray[Any, Any]) -> str:
    """Write one array; returns its checksum."""
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return _checksum(path)


def _read(path: Path, checksum: str) -> np.ndarray[Any, Any]:
    try:
        if _checksum(path) != checksum:
            raise StoreError(f"{path}: damaged (the checksum differs)")
        if path.stat().st_size >= _MAPPED:
            # Private pages: processes share what none of them writes to, and nobody can change the file.
            return np.asarray(np.lib.format.open_memmap(path, mode="c"))
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: damaged ({error})") from None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _publish(partial: Path, final: Path) -> None:
    """Rename into place; if another writer was first, its artifact stays."""
    for attempts_left in reversed(range(10)):
        try:
            partial.rename(final)
            return
        except OSError:
            if (final / MANIFEST).exists():
                shutil.rmtree(partial, ignore_errors=True)
                return
            if not attempts_left:  # else somebody removed it between the rename and the look
                raise
