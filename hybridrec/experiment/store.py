"""A content-addressed store of named arrays: what was fitted once is never fitted again.

One artifact is a folder named by its key: `<n>.npy` files and a `manifest.json` with their names and
checksums. It is written under a temporary name, synced, and renamed, so that at any moment an artifact
is either whole or absent; of two processes that write the same key the first wins and the other's copy,
equal by construction, is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hybridrec.arrays import State
from hybridrec.errors import StoreError

MANIFEST = "manifest.json"
FORMAT = 1
_ABANDONED = 24 * 3600.0


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
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise StoreError(f"{path}: the manifest cannot be read ({error})") from None
        if manifest.get("format") != FORMAT:
            raise StoreError(f"{path}: written in format {manifest.get('format')}, this version reads {FORMAT}")
        state = {name: _read(path / entry["file"], entry["checksum"]) for name, entry in manifest["arrays"].items()}
        os.utime(path / MANIFEST)
        return state

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
        partial = final.parent / f".{key}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        partial.mkdir()
        try:
            arrays = {}
            for number, (name, array) in enumerate(sorted(state.items())):
                file = f"{number}.npy"
                arrays[name] = {"file": file, "checksum": _write(partial / file, array)}
            manifest = {"format": FORMAT, "key": key, "about": about or {}, "arrays": arrays}
            _sync(partial / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
            _publish(partial, final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def drop(self, key: str) -> None:
        """Remove an artifact, damaged or not."""
        shutil.rmtree(self._path(key), ignore_errors=True)

    def artifacts(self) -> list[Artifact]:
        """All whole artifacts, least recently used first."""
        found = []
        for manifest in self.folder.glob("??/*/" + MANIFEST):
            path = manifest.parent
            if path.name.startswith("."):
                continue
            try:
                about = json.loads(manifest.read_text(encoding="utf-8")).get("about", {})
                size = sum(file.stat().st_size for file in path.iterdir())
                found.append(Artifact(path.name, path, size, manifest.stat().st_mtime, about))
            except (OSError, ValueError):
                continue  # being removed by another process, or damaged: get() will say so
        return sorted(found, key=lambda artifact: artifact.used)

    def collect(self, keep_bytes: int, older_than: float) -> list[Artifact]:
        """Remove what was not used for `older_than` seconds, then the least recently used above `keep_bytes`.

        Returns what was removed. Leftovers of writers that were killed more than a day ago go too.
        """
        now = time.time()
        for partial in self.folder.glob("??/.*"):
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


def _write(path: Path, array: np.ndarray[Any, Any]) -> str:
    """Write one array, synced; returns its checksum."""
    if array.dtype.hasobject:
        raise StoreError(f"{path.name}: an array of Python objects cannot be stored")
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return _checksum(path)


def _read(path: Path, checksum: str) -> np.ndarray[Any, Any]:
    try:
        if _checksum(path) != checksum:
            raise StoreError(f"{path}: damaged (the checksum differs)")
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: damaged ({error})") from None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _sync(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _publish(partial: Path, final: Path) -> None:
    """Rename into place; if another writer was first, its artifact stays."""
    try:
        partial.rename(final)
    except OSError:
        if not (final / MANIFEST).exists():
            raise
        shutil.rmtree(partial, ignore_errors=True)
        return
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
