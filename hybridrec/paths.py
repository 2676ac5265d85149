"""Names and keys that become paths, and files that are written whole or not at all.

A run folder may come from a stranger. What it says is checked by these types when it is read, and again where
a path is made of it; and what is written into it replaces links and never follows them.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from hybridrec.errors import ConfigError, StoreError

_LONGEST_NAME = 200
"""Bytes of UTF-8. File systems take 255, and the names of files and folders say more than the name."""
_SHOWN = 60
"""Characters of a name that an error repeats."""
_KEY = r"^[0-9a-f]{32}$"
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def _short(name: str) -> str:
    if (length := len(name.encode())) > _LONGEST_NAME:
        raise ValueError(f"a name of {length} bytes is too long to become one of a file; {_LONGEST_NAME} are possible")
    return name


_Plain = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Name = Annotated[_Plain, AfterValidator(_short)]
"""Of labels, pipelines and experiments: they become names of files."""
Key = Annotated[str, Field(pattern=_KEY)]
"""Of an artifact in the store: it becomes the name of its file."""

_PLAIN: TypeAdapter[str] = TypeAdapter(_Plain)


def inside(folder: Path, file: str) -> Path:
    """Return the path of a file directly in a folder; raises StoreError for a name that leads anywhere else."""
    try:
        return folder / _PLAIN.validate_python(file)
    except ValidationError:
        raise StoreError(f"{folder}: {printable(file)} cannot be the name of a file in it") from None


def subfolder(folder: Path, name: str) -> Path:
    """Return the path of a folder, made or not, in a folder; raises StoreError if a link or a file is in its place."""
    path = inside(folder, name)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise StoreError(f"{path} is a link or a file, not a folder: remove it, or name another folder to write to")
    return path


def check_key(key: object) -> str:
    """Return the key of an artifact; raises StoreError if it cannot be one."""
    if not isinstance(key, str) or not re.fullmatch(_KEY.strip("^$"), key):
        raise StoreError(f"{printable(str(key))} cannot be a key of the store: keys are 32 hexadecimal digits")
    return key


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file for writing that takes the place of `path` when the block ends, and is removed if it fails.

    A link at `path` is replaced by the file. Raises ConfigError if something else than a file or link is there.
    """
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise ConfigError(f"{path} exists and is not a file: nothing was written; give another name, or remove it")
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    # Exclusive: whatever has this name already, a link above all, is not written to.
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all, as `replacing` does."""
    with replacing(path) as file:
        file.write(content.encode())


def append(path: Path, content: str) -> None:
    """Add text to the end of a file, which is made if it is not there; raises StoreError if it is a link."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NOFOLLOW | _BINARY, 0o666)
    except OSError:
        if path.is_symlink():
            raise StoreError(f"{path} is a link, which is not written through: put the file itself there") from None
        raise
    with os.fdopen(descriptor, "ab") as file:
        file.write(content.encode())


def printable(text: str) -> str:
    """Return text in quotes as an error may show it: cut if it is long, and without control characters."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"'{shown}'" if shown.isprintable() else ascii(shown)
