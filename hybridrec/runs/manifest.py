"""The manifest of a run, which lists size and checksum of each file, so that changed files are never read."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import DataError, StoreError
from hybridrec.paths import inside, partial_path, publish, remove, subfolder, sweep, sync, write_whole, writing

MANIFEST, REPORT = "manifest.json", "report.json"
FORMAT = 1


class _Entry(BaseModel, extra="forbid"):
    """The size and checksum of a file of a run."""

    bytes: int
    blake2b: str
    """BLAKE2b digest (16 bytes) of the file's content, in hex."""

    @classmethod
    def of(cls, path: Path) -> _Entry:
        return cls(bytes=path.stat().st_size, blake2b=_checksum(path))


class _Manifest(BaseModel, extra="forbid"):
    """The content of `manifest.json`: an entry for each file of the run, by its name."""

    format: int
    files: dict[str, _Entry]
    replacing: dict[str, _Entry] = {}
    """By name, the entry of the new version of a file that is about to be replaced."""
    checksum: str = ""
    """The digest of all entries, so that damage to the manifest is not blamed on another file; older ones lack it."""

    @property
    def digest(self) -> str:
        """The digest of all entries."""
        return json_digest(self.model_dump(include={"files", "replacing"}))


def write_manifest(folder: Path) -> None:
    """Write the manifest of a run for all files that are in its folder now."""
    names = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    names.pop(MANIFEST, None)
    _write(folder, {name: _Entry.of(path) for name, path in names.items()})


def replace_file(folder: Path, name: str, write: Callable[[Path], object]) -> Path:
    """Replace a file of a run, and return its path; `write` is called with the path of a temporary file to write.

    Whenever the process is killed, the file is either the old or the new one, and the manifest has its checksum, since
    the new checksum is added beside the old one before the new file is moved into place. A link is replaced rather than
    followed. Raises StoreError if something other than a file has this name, and WriteError if the new file cannot be
    written.
    """
    files, path = _read(folder).files, _within(folder, name)
    if path.exists() and not path.is_file() and not path.is_symlink():
        raise StoreError(f"{path} is not a file: remove it")
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    sweep(path.parent)
    partial = partial_path(path)
    try:
        with writing(path):
            write(partial)
            sync(partial)
        entry = _Entry.of(partial)
        _write(folder, files, {name: entry})
        with writing(path):
            publish(partial, path)
    except BaseException:
        remove(partial)
        raise
    _write(folder, _read(folder).files | {name: entry})
    return path


def checked_file(folder: Path, name: str) -> Path:
    """Return the path of a file of a run, after checking by its size and checksum that it is unchanged.

    Raises DataError if the folder does not belong to a run, and StoreError if the file, or the manifest, is missing or
    damaged.
    """
    while True:
        manifest = _read(folder)
        try:
            return _checked(folder, name, manifest)
        except StoreError:
            if _read(folder) == manifest:
                raise  # else the file was replaced meanwhile


def _checked(folder: Path, name: str, manifest: _Manifest) -> Path:
    path = _within(folder, name)
    entries = [listed[name] for listed in (manifest.files, manifest.replacing) if name in listed]
    if not entries:
        raise StoreError(f"{path} cannot be read: the {MANIFEST} of the run does not list it")
    if not path.is_file():
        raise StoreError(f"{path} cannot be read: it is missing, or not a file")
    try:
        size = path.stat().st_size
        if size not in [entry.bytes for entry in entries]:
            raise StoreError(f"{path}: damaged ({size} bytes, {entries[0].bytes} were written)")
        if _checksum(path) not in [entry.blake2b for entry in entries]:
            raise StoreError(f"{path}: damaged (the checksum differs)")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    return path


def run_folder(path: Path) -> Path:
    """Return the folder of a run, given it or the report in it, whose path is what `hybridrec run` prints."""
    return path.parent if path.name == REPORT else path


def not_a_run(folder: Path) -> DataError:
    """Return, but do not raise, the error about a folder that is not a run.

    Its message proposes the newest run whose name begins like the folder's, if there is one.
    """
    runs = [path.parent for path in folder.parent.glob(f"{glob.escape(folder.name)}-[0-9]*/{MANIFEST}")]
    hint = f"; did you mean {max(runs)}?" if runs else ""
    reason = f"it has no {MANIFEST}" if folder.exists() else "it does not exist"
    return DataError(f"{folder} is not a run: {reason}{hint}")


def has_file(folder: Path, name: str) -> bool:
    """Return True if the manifest of a run lists a file of this name.

    Raises DataError if the folder does not belong to a run, and StoreError if the manifest is missing or damaged.
    """
    return name in _read(folder).files


def _read(folder: Path) -> _Manifest:
    path = folder / MANIFEST
    if not path.exists():
        if (folder / REPORT).exists():
            raise StoreError(
                f"{folder} has no {MANIFEST}: it was deleted, or the run was written before runs had one; run the "
                "experiment again"
            )
        raise not_a_run(folder)
    if not path.is_file():
        raise StoreError(f"{path} cannot be read: it is not a file")
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        raise StoreError(f"{path} cannot be read: {' '.join(mistake['msg'].split())}") from None
    if manifest.format != FORMAT:
        raise StoreError(f"{path}: written in format {manifest.format}, this version of hybridrec reads {FORMAT}")
    if manifest.checksum not in ("", manifest.digest):
        raise StoreError(f"{path}: damaged (the checksum differs)")
    return manifest


def _write(folder: Path, files: dict[str, _Entry], replacing: dict[str, _Entry] | None = None) -> None:
    manifest = _Manifest(format=FORMAT, files=files, replacing=replacing or {})
    manifest.checksum = manifest.digest
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1, exclude_defaults=True))


def _within(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder of a run; raises StoreError for a name that leads out of the folder.

    The name may have been written by somebody else, since runs are passed on.
    """
    *below, file = name.split("/")
    for step in below:
        folder = subfolder(folder, step)
    return inside(folder, file)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
