"""Flattening of nested data to named arrays, and digests of such data and of values that JSON can hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.packed_texts import PackedTexts
from hybridrec.data.vocabulary import Vocabulary


def flatten(value: object, name: str = "") -> Iterator[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]]:
    """Yield (name, array) pairs with the content of a value.

    The value may be an array, a csr matrix, a vocabulary, a text, a tuple of texts, an integer, or a dict or dataclass
    of such values. A tuple of texts becomes two arrays: the UTF-8 bytes of all texts, and the position at which each
    text ends. For None nothing is yielded. `name` begins the names of the arrays. Raises TypeError for other types.
    """
    if value is None:
        return
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, csr_matrix):
        matrix = value.copy()
        matrix.sum_duplicates()
        # The width of scipy's indices depends on how a matrix was made; a fixed width makes equal data equal arrays.
        yield f"{name}.indptr", matrix.indptr.astype(np.int64)
        yield f"{name}.indices", matrix.indices.astype(np.int32)
        yield f"{name}.data", matrix.data
        yield f"{name}.shape", np.array(matrix.shape, np.int64)
    elif isinstance(value, Vocabulary):
        yield from flatten(value.packed, name)
    elif isinstance(value, tuple):
        yield from flatten(PackedTexts.of(value), name)
    elif isinstance(value, dict):
        yield from flatten(tuple(value), f"{name}.keys")
        for place, entry in enumerate(value.values()):  # keys may hold any character, so places name the arrays
            yield from flatten(entry, f"{name}.{place}")
    elif isinstance(value, PackedTexts):
        yield f"{name}.bytes", value.encoded
        yield f"{name}.ends", value.ends
    elif isinstance(value, str):
        yield name, np.frombuffer(value.encode(), np.uint8)
    elif isinstance(value, int):
        yield name, np.array(value, np.int64)
    elif is_dataclass(value):
        for member in (member for member in fields(value) if member.compare):
            inner = f"{name}.{member.name}" if name else member.name
            yield from flatten(getattr(value, member.name), inner)
    else:
        raise TypeError(f"{name}: {type(value).__name__} cannot be turned into arrays")


def json_digest(content: object, size: int = 16) -> str:
    """Return the hex digest, of `size` bytes, of a value that JSON can hold; the order of keys makes no difference."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=size).hexdigest()


def fingerprint(*values: object) -> str:
    """Return one hex digest of all these values, which may be of any type that `flatten` accepts.

    It depends on the names, types, shapes and bytes of the arrays that `flatten` makes of them.
    """
    digest = hashlib.blake2b(digest_size=16)
    for place, value in enumerate(values):
        for name, array in flatten(value, str(place)):
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.nbytes else b"")
    return digest.hexdigest()
