"""Framing of records in a journal: each has a mark, a schema version, its kind, its length and a checksum."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from hybridrec_server.journal.base import ServedRecord
from hybridrec_server.state.base import Event

RecordKind: TypeAlias = Literal["exposures", "events"]

MARK = b"\x89HRJ"
"""First bytes of a record, by which the next one after damage is searched; the first of them is not ASCII."""
SCHEMA = 1
"""Version of the records; readers take this one and all before it."""
KINDS: dict[RecordKind, int] = {"exposures": 1, "events": 2}
"""Kind of a record -> its number in the file."""
LONGEST = 1 << 26
"""The most bytes of a record; a length beyond it is damage."""
_HEAD = struct.Struct("<4sBBHII")  # mark, version, kind, 0, length, checksum of version, kind, length and content
_NAMES = {number: name for name, number in KINDS.items()}
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def frame(record: Event | ServedRecord) -> bytes:
    """Return a record as bytes: a head of 16 bytes, and JSON.

    Raises ValueError for NaN, and for text that is not Unicode.
    """
    fields = record._asdict()
    if isinstance(record, Event):
        kind, content = KINDS["events"], _encode(fields).encode()
    else:  # the answer is JSON already
        kind, answer = KINDS["exposures"], fields.pop("answer")
        content = b'{"answer":%b,%b' % (answer, _encode(fields)[1:].encode())
    return _HEAD.pack(MARK, SCHEMA, kind, 0, len(content), _checksum(kind, content)) + content


def _checksum(kind: int, content: bytes | memoryview, version: int = SCHEMA) -> int:
    return zlib.crc32(content, zlib.crc32(struct.pack("<BBI", version, kind, len(content))))


class Record(NamedTuple):
    """Record of a journal: its kind, its fields by name, and the offset of the byte after it."""

    kind: RecordKind
    fields: dict[str, Any]
    end: int


@dataclass(slots=True)
class Damage:
    """Bytes of a journal that are not records."""

    torn: int = 0
    """Bytes after the last record: a record that was being written when the process or the machine ended."""
    damaged: int = 0
    """Bytes before it: the disk lost or changed them."""
    valid: int = 0
    """Offset of the byte after the last record."""


def scan(path: Path, damage: Damage) -> Iterator[Record]:
    """Yield the records of a journal, and note in `damage` what is none.

    Raises OSError if the file cannot be read, ValueError for a record of a later version of the schema.
    """
    content = memoryview(path.read_bytes())
    offset = 0
    while offset < len(content):
        record = _record_at(content, offset)
        if record is None:
            following = _next(content, offset + 1)
            if following is None:
                break
            damage.damaged += following - offset
            offset = following
            continue
        yield record
        offset = damage.valid = record.end
    damage.torn = len(content) - offset


def _next(content: memoryview, start: int) -> int | None:
    """Return the offset of the next whole record at or after `start`; None if there is none."""
    data = content.obj
    assert isinstance(data, bytes)
    while (start := data.find(MARK, start)) >= 0:
        if _record_at(content, start) is not None:
            return start
        start += 1
    return None


def _record_at(content: memoryview, offset: int) -> Record | None:
    """Return the record at an offset; None if there is none, or not all of it."""
    if len(content) - offset < _HEAD.size:
        return None
    mark, version, number, _, length, checksum = _HEAD.unpack_from(content, offset)
    start, end = offset + _HEAD.size, offset + _HEAD.size + length
    if mark != MARK or length > LONGEST or end > len(content):
        return None
    body = content[start:end]
    if _checksum(number, body, version) != checksum:
        return None
    if version > SCHEMA or number not in _NAMES:
        raise ValueError(f"record of version {version}, kind {number}: a later version of hybridrec wrote it")
    return Record(_NAMES[number], json.loads(bytes(body)), end)
