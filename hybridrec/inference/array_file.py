"""Named arrays in one file: a line of JSON that describes the content, then the bytes of the arrays.

The line is the manifest. Arrays are little-endian and begin at multiples of 64 bytes, so that a large file
can be mapped into memory as it is. One checksum covers all arrays: CRC-32, which detects the damage that crashes
and disks do to a file, and is as fast as reading it. `docs/decisions/22-one-array-file.md` compares the format with
safetensors.
"""

from __future__ import annotations

import json
import math
import stat
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import StoreError
from hybridrec.paths import printable
from hybridrec.types import State

FORMAT = 1
_ALIGNED = 64
_LITTLE = "<|"
"""The first characters of the types of arrays in a file: little-endian, or of one byte each."""
_LONGEST = 1 << 26
"""The longest manifest that is read, in bytes, since a file from elsewhere may have no end of line."""
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, MemoryError)
"""Errors that may be raised on reading a manifest that this module has not written."""
_MAPPED = 1 << 20
"""Files of at least this many bytes are mapped into memory; for smaller ones a mapping costs more than reading."""


def write_artifact(path: Path, key: str, state: State, about: dict[str, Any]) -> dict[str, Any]:
    """Write named arrays to a new file, under a key and with metadata `about`; return the manifest of the file.

    Arrays keep their order in memory (C or Fortran), so that computations with the arrays that are read later give the
    same results. Big-endian arrays are converted to little-endian arrays. Raises StoreError for arrays of Python
    objects or records.
    """
    arrays: dict[str, dict[str, Any]] = {}
    pieces: list[memoryview] = []
    start = checksum = 0
    for name, array in state.items():
        if array.dtype.hasobject or array.dtype.names:
            raise StoreError(f"'{name}' is an array of Python objects or records, which cannot be stored")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        transposed = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
        laid = {"order": "F" if transposed else "C", "start": start}
        arrays[name] = {"dtype": array.dtype.str, "shape": array.shape, **laid}
        flat = np.ascontiguousarray(array.T if transposed else array).reshape(-1).view(np.uint8)
        for piece in (flat.data, memoryview(bytes(-len(flat) % _ALIGNED))):
            checksum = zlib.crc32(piece, checksum)
            start += len(piece)
            pieces.append(piece)
    content = {"key": key, "about": about, "arrays": arrays, "checksum": checksum}
    whole = {"format": FORMAT, "checksum": json_digest(content), "content": content}
    line = json.dumps(whole, ensure_ascii=False).encode()
    with path.open("xb") as file:
        file.write(line + b" " * ((-len(line) - 1) % _ALIGNED) + b"\n")
        file.writelines(pieces)
    return cast(dict[str, Any], json.loads(line)["content"])


def read_artifact(path: Path, key: str | None = None) -> State:
    """Read the named arrays of a file, as `read_whole` does."""
    return read_whole(path, key)[1]


def read_whole(path: Path, key: str | None = None) -> tuple[dict[str, Any], State]:
    """Read the manifest and the named arrays of one file, after verifying their checksums, also if `path` is replaced.

    Raises OSError if the file cannot be read (FileNotFoundError if it does not exist). Raises StoreError if it is
    damaged, or was written under another key than `key`; None stands for any key.
    """
    with _opened(path) as file:
        line = file.readline(_LONGEST)
        content = _checked(path, line, key)
        if path.stat().st_size < _MAPPED:
            data = np.frombuffer(bytearray(file.read()), np.uint8)
        else:  # private pages: processes share what none of them writes to, and nobody can change the file
            data = np.asarray(np.memmap(file, np.uint8, "c", len(line)))
    try:
        if zlib.crc32(data.data) != content["checksum"]:
            raise StoreError(f"{path}: damaged (the checksum differs)")
        return content, {name: _array(data[entry["start"] :], entry) for name, entry in content["arrays"].items()}
    except MALFORMED as error:  # arrays of objects, for example, which are made of no bytes
        raise StoreError(f"{path}: damaged ({_reason(error)})") from None


def manifest_of(path: Path) -> dict[str, Any]:
    """Read the manifest of a file, after verifying its checksum; raises the same errors as `read_artifact`."""
    with _opened(path) as file:
        return _checked(path, file.readline(_LONGEST))


def parse_manifest(place: str, line: bytes, key: str) -> dict[str, Any]:
    """Parse the first line of a file that is elsewhere, after verifying its checksum; `place` is named by errors.

    Raises StoreError if the line is damaged, or that of another key.
    """
    return _checked(place, line, key)


def _opened(path: Path) -> IO[bytes]:
    """Open a file; raises StoreError for a pipe or device, which may never end, and for a folder."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise StoreError(f"{path}: cannot be read (it is not a file)")
    return path.open("rb")


def _checked(path: Path | str, line: bytes, key: str | None = None) -> dict[str, Any]:
    """Parse a manifest and return its content; raises StoreError if its format, a checksum, type or key is wrong."""
    try:
        whole = json.loads(line)
        version, checksum, content = (whole[name] for name in ("format", "checksum", "content"))
        if version != FORMAT:
            raise StoreError(
                f"{path}: written in format {printable(str(version)).strip(chr(39))}, this version reads {FORMAT}"
            )
        if json_digest(content) != checksum:
            raise StoreError(f"{path}: damaged (the checksum of the manifest differs)")
        if not all(isinstance(content[name], dict) for name in ("about", "arrays")):
            raise StoreError(f"{path}: the manifest cannot be read (`about` or `arrays` has another type)")
        if key not in (None, content["key"]):
            raise StoreError(f"{path}: written under the key {printable(str(content['key']))}, not under this one")
    except MALFORMED as error:
        raise StoreError(f"{path}: the manifest cannot be read ({_reason(error)})") from None
    return cast(dict[str, Any], content)


def _reason(error: BaseException) -> str:
    """Describe an error briefly, without control characters, since its message may quote the file."""
    return f"{type(error).__name__}: {printable(str(error))}"


def _array(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    """Return the array that an entry of the manifest describes, as a view of the first bytes of `data`."""
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    if str(entry["dtype"])[:1] not in _LITTLE:
        raise ValueError(f"an array of the type {entry['dtype']}: arrays are little-endian")
    return data[: dtype.itemsize * math.prod(shape)].view(dtype).reshape(shape, order=entry["order"])
