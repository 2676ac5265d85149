"""Names and keys that become paths, and atomic writing of files.

The folder of a run may come from an untrusted source. These types check the names in it when it is read, and again when
a path is made from a name. Writing into the folder replaces links and never follows them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from hybridrec.errors import StoreError, WriteError
from hybridrec.types import KIND_NAME

_LONGEST_NAME = 200
"""The largest length of a name in bytes of UTF-8; file systems allow 255, and file names add characters to a name."""
_SHOWN = 60
"""The largest number of characters of a name that an error message repeats."""
_KEY = r"^[0-9a-f]{32}$"
_PARTIAL = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)\.[0-9a-f]{8}", re.DOTALL)
"""Pattern of the names that `partial_path` returns."""
_ABANDONED = 24 * 3600.0
"""Age in seconds from which a partial file of another machine counts as left behind by a process that has ended."""
_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def _short(name: str) -> str:
    if (length := len(name.encode())) > _LONGEST_NAME:
        raise ValueError(f"a name of {length} bytes is too long for a file; at most {_LONGEST_NAME} are allowed")
    return name


_Plain = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Name = Annotated[_Plain, AfterValidator(_short)]
"""Type of labels and names of pipelines and experiments, which become names of files."""
KindName = Annotated[str, Field(pattern=KIND_NAME), AfterValidator(_short)]
"""Type of names of kinds of entities; the name of a target becomes part of the names of files."""
Key = Annotated[str, Field(pattern=_KEY)]
"""Type of keys of artifacts in the store, which become names of files."""

_PLAIN: TypeAdapter[str] = TypeAdapter(_Plain)


def inside(folder: Path, file: str) -> Path:
    """Return the path of a file directly in a folder; raises StoreError if the name would lead to another folder."""
    try:
        return folder / _PLAIN.validate_python(file)
    except ValidationError:
        raise StoreError(f"{folder}: {printable(file)} cannot be the name of a file in it") from None


def subfolder(folder: Path, name: str) -> Path:
    """Return the path of a subfolder, which need not exist; raises StoreError if a link or a file is in its place."""
    path = inside(folder, name)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise StoreError(f"{path} is a link or a file, not a folder: remove it, or name another folder to write to")
    return path


def check_key(key: object) -> str:
    """Return `key` if it can be the key of an artifact in the store; else raise StoreError."""
    if not isinstance(key, str) or not re.fullmatch(_KEY.strip("^$"), key):
        raise StoreError(f"{printable(str(key))} cannot be a key of the store: keys are 32 hexadecimal digits")
    return key


def partial_path(path: Path) -> Path:
    """Return a new, hidden path beside `path`, for a file or folder that is being written or removed.

    Its name contains the machine and the process, so that `sweep` recognises what a killed process has left behind.
    """
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.{secrets.token_hex(4)}")


def sweep(folder: Path, pattern: str = ".*") -> None:
    """Remove the partial files and folders of processes that have ended, and ignore errors.

    Partial files of other machines, on a shared disk, are removed once they are a day old. `pattern` is a glob pattern
    below `folder`.
    """
    for path in folder.glob(pattern):
        if (owner := _PARTIAL.fullmatch(path.name)) is None:
            continue
        with suppress(OSError):  # removed meanwhile
            if owner["machine"] == _machine() and os.name == "posix":
                abandoned = not _runs(int(owner["process"]))
            else:
                abandoned = time.time() - path.lstat().st_mtime > _ABANDONED
            if abandoned:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, and ignore errors."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@cache
def _machine() -> str:
    """Return a digest of the name of this machine, 8 hexadecimal digits."""
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def _runs(process: int) -> bool:
    """Return True if a process with this id runs on this machine, or if that cannot be told."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else, or cannot be told
        return True
    return True


def disk_fault(error: BaseException) -> str | None:
    """Return the reason in words if an error is a fault of the disk (it is full, read-only or broken), else None.

    Polars gives the number of the system's error in its message only; an error of a Python file that it writes to comes
    back as its text.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := re.search(r"\(os error ([0-9]+)\)|\[Errno ([0-9]+)\]", str(error))):
        number = int(told[1] or told[2])
    return os.strerror(number) if number in _FAULTS else None


@contextmanager
def writing(path: Path, kept: str = "", *, faults: bool = False) -> Iterator[None]:
    """Turn an error of the system in the `with` block into a WriteError whose message names `path`.

    kept: a clause on what is not lost, with which the message ends
    faults: True to turn only faults of the disk (`disk_fault`), for a block that also runs code other than writing
    """
    try:
        yield
    except Exception as error:
        reason = disk_fault(error)
        if reason is None and isinstance(error, OSError) and not faults:
            reason = error.strerror or str(error)
        if reason is None:
            raise
        raise WriteError(f"{path} cannot be written: {reason}{kept and f'; {kept}'}") from None


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, from the system's caches to the disk, to survive a power cut."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        if (
            not path.is_dir()
        ):  # not every system can do so for a folder, nor for one that may be written to but not read
            raise


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file for writing, which takes the place of `path` at the end of the `with` block.

    If the block fails, the new file is removed and `path` stays as it was. A link at `path` is replaced, too. Raises
    WriteError if anything but a file or a link is there, and if the file cannot be written.
    """
    with writing(path), suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise WriteError(f"{path} exists and is not a file: nothing was written; give another name, or remove it")
    partial = partial_path(path)
    # Exclusive: an existing file or link of this name is never written to.
    with writing(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, 0o666)
    try:
        with writing(path, faults=True), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        with writing(path):
            publish(partial, path)
    except BaseException:
        remove(partial)
        raise


def publish(partial: Path, path: Path) -> None:
    """Give a file that was synced its final name, also after a power cut."""
    partial.replace(path)
    sync(path.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder with all files and folders in it to the disk, as `sync` does one."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def write_whole(path: Path, content: str) -> None:
    """Write a text file completely or not at all; raises the same errors as `replacing`."""
    with replacing(path) as file:
        file.write(content.encode())


def append(path: Path, content: str) -> None:
    """Append text to a file, which is created if it does not exist.

    Raises StoreError if the file is a link, and WriteError if the disk is full, read-only or broken.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NOFOLLOW | _BINARY, 0o666)
    except OSError:
        if path.is_symlink():
            raise StoreError(
                f"{path} is a link, which is never followed when writing: put the file itself there"
            ) from None
        with writing(path):
            raise
    with writing(path, faults=True), os.fdopen(descriptor, "ab") as file:
        file.write(content.encode())


def printable(text: str) -> str:
    """Return a text in quotes for an error message, shortened and with control characters escaped."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"'{shown}'" if shown.isprintable() else ascii(shown)
