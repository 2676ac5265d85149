"""How an artifact lies on the disk: one file, a line of JSON that says what follows, then the bytes of its arrays.

The line is the manifest. Arrays begin at multiples of 64 bytes, so that a large file can be mapped into
memory as it is. One checksum stands for all of them: CRC-32, which finds what crashes and disks do to a
file, and is as fast as reading it. Artifacts were folders once, a `.npy` file for each array beside a
`manifest.json`: those are read, too.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridrec.errors import StoreError
from hybridrec.types import State

FORMAT = 1
_MANIFEST = "manifest.json"
_ALIGNED = 64
_MAPPED = 1 << 20
"""Bytes from which a file is mapped into memory, not read: below, a mapping costs more than the copy."""


def write_artifact(path: Path, key: str, state: State, about: dict[str, Any]) -> None:
    """Write named arrays, and what is noted with them, to a new file.

    They keep their order: who reads them gets what was written, and is not told by it where it comes from.
    Raises StoreError for arrays of objects.
    """
    arrays: dict[str, dict[str, Any]] = {}
    pieces: list[memoryview] = []
    start = checksum = 0
    for name, array in state.items():
        if array.dtype.hasobject or array.dtype.names:
            raise StoreError(f"'{name}' is an array of Python objects or records, which cannot be stored")
        transposed = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
        laid = {"order": "F" if transposed else "C", "start": start}
        arrays[name] = {"dtype": array.dtype.str, "shape": array.shape, **laid}
        flat = np.ascontiguousarray(array.T if transposed else array).reshape(-1).view(np.uint8)
        for piece in (flat.data, memoryview(bytes(-len(flat) % _ALIGNED))):
            checksum = zlib.crc32(piece, checksum)
            start += len(piece)
            pieces.append(piece)
    content = {"key": key, "about": about, "arrays": arrays, "checksum": checksum}
    whole = {"format": FORMAT, "checksum": _json_checksum(content), "content": content}
    line = json.dumps(whole, ensure_ascii=False).encode()
    with path.open("xb") as file:
        file.write(line + b" " * ((-len(line) - 1) % _ALIGNED) + b"\n")
        file.writelines(pieces)


def read_artifact(path: Path) -> State:
    """The arrays, checked; FileNotFoundError if there is no artifact, StoreError if it is damaged."""
    if path.is_dir():
        arrays = manifest_of(path)["arrays"]
        return {name: _read_npy(path / entry["file"], entry["checksum"]) for name, entry in arrays.items()}
    with path.open("rb") as file:
        line = file.readline()
        content = _checked(path, line)
        if path.stat().st_size < _MAPPED:
            data = np.frombuffer(bytearray(file.read()), np.uint8)
        else:  # private pages: processes share what none of them writes to, and nobody can change the file
            data = np.asarray(np.memmap(file, np.uint8, "c", len(line)))
    if zlib.crc32(data.data) != content["checksum"]:
        raise StoreError(f"{path}: damaged (the checksum differs)")
    try:
        return {name: _array(data[entry["start"] :], entry) for name, entry in content["arrays"].items()}
    except (TypeError, ValueError) as error:  # of objects, for example, which are made of no bytes
        raise StoreError(f"{path}: damaged ({error})") from None


def manifest_of(path: Path) -> dict[str, Any]:
    """The checked content of the manifest, as for `read_artifact`."""
    with marker_of(path).open("rb") as file:
        return _checked(path, file.read() if path.is_dir() else file.readline())


def marker_of(path: Path) -> Path:
    """The file whose time is when the artifact was last used, and without which it is none."""
    return path / _MANIFEST if path.is_dir() else path


def size_of(path: Path) -> int:
    """Bytes of all that belongs to it."""
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))


def _checked(path: Path, line: bytes) -> dict[str, Any]:
    """The content of a manifest."""
    try:
        whole = json.loads(line)
        version, checksum, content = (whole[name] for name in ("format", "checksum", "content"))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: the manifest cannot be read ({error})") from None
    if version != FORMAT:
        raise StoreError(f"{path}: written in format {version}, this version reads {FORMAT}")
    if _json_checksum(content) != checksum:
        raise StoreError(f"{path}: damaged (the checksum of the manifest differs)")
    return cast(dict[str, Any], content)


def _json_checksum(content: object) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def _array(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    """The array that begins where the data does."""
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    return data[: dtype.itemsize * math.prod(shape)].view(dtype).reshape(shape, order=entry["order"])


def _read_npy(path: Path, checksum: str) -> NDArray[Any]:
    """An array of an artifact that is a folder."""
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest() != checksum:
                raise StoreError(f"{path}: damaged (the checksum differs)")
        mapped = path.stat().st_size >= _MAPPED
        return np.asarray(np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: damaged ({error})") from None
