"""The bound on the length of a line: a small compressed file may unpack to one line that fills the memory."""

from __future__ import annotations

import re
from gzip import GzipFile
from itertools import count
from pathlib import Path
from typing import BinaryIO, cast

from hybridrec.data.io.faults import naming
from hybridrec.errors import DataError, format_size

LONGEST = 16_000_000
"""The number of bytes among which a line has to end, wherever in a file they are counted from."""
MOST_PACKED = 1000
"""The largest ratio between the text in a file of Zstandard and the file; gzip cannot exceed 1,032."""
_PIECE = 1 << 16
_LINE_END = re.compile(rb"[\r\n]")
_GZIP, _ZLIB, _ZSTD = b"\x1f\x8b", (b"\x78\x01", b"\x78\x9c", b"\x78\xda"), b"\x28\xb5\x2f\xfd"
"""The first bytes of compressed files, by which Polars knows them, whatever they are called."""
_SKIPPED = b"\x2a\x4d\x18"
"""The last three bytes of the four with which a frame of Zstandard begins that holds no text."""


def check_lines(path: Path) -> None:
    """Raise DataError if a text file has `LONGEST` bytes without a line end, counted from a multiple of `LONGEST`.

    Of these bytes only those up to the first line end are read, so that a file of many GB takes no time, unless it is
    compressed. A file of Zstandard, which Polars unpacks as a whole, is refused if it unpacks to more than `LONGEST`
    bytes, and to more than `MOST_PACKED` times its size. Raises DataError also for a file that is compressed by zlib
    alone, which Polars would unpack as well, and for a damaged file of gzip.
    """
    with path.open("rb") as raw:
        head = raw.read(4)
        raw.seek(0)
        if head == _ZSTD:
            _check_ratio(path, raw)
        elif head.startswith(_ZLIB):
            raise DataError(f"{path}: is compressed by zlib; right is gzip, Zstandard, or no compression")
        else:
            with naming(str(path)):
                _check(path, cast(BinaryIO, GzipFile(fileobj=raw)) if head.startswith(_GZIP) else raw)


def _check(path: Path, file: BinaryIO) -> None:
    for start in count(0, LONGEST):
        file.seek(start)
        left = LONGEST
        while left and (piece := file.read(min(_PIECE, left))) and not _LINE_END.search(piece):
            left -= len(piece)
        if not left:
            raise DataError(
                f"{path}, line {_line_at(file, start)}: more than {format_size(LONGEST)} without a line end; "
                "right is a line for each row"
            )
        if not piece:
            return


def _line_at(file: BinaryIO, place: int) -> int:
    """Return the number of the line, from 1, to which the byte at a place belongs."""
    file.seek(0)
    feeds = returns = 0
    while place and (piece := file.read(min(_PIECE, place))):
        feeds, returns = feeds + piece.count(b"\n"), returns + piece.count(b"\r")
        place -= len(piece)
    return (feeds or returns) + 1


def _check_ratio(path: Path, file: BinaryIO) -> None:
    size = path.stat().st_size
    if (unpacked := _zstd_size(file)) > max(LONGEST, MOST_PACKED * size):
        raise DataError(
            f"{path}: {format_size(size)} that unpack to {format_size(unpacked)}, more than {MOST_PACKED:,} times as "
            "much, are no usual table; if they are one, it is read once it is decompressed (`zstd -d`)"
        )


def _zstd_size(file: BinaryIO) -> int:
    """Return the most bytes to which a file of Zstandard unpacks, by the headers of its blocks (RFC 8878)."""
    size = 0
    while len(magic := file.read(4)) == 4:
        if magic[1:] == _SKIPPED:
            file.seek(int.from_bytes(file.read(4), "little"), 1)
            continue
        descriptor = int.from_bytes(file.read(1))
        is_single = descriptor >> 5 & 1
        sizes = (not is_single, (0, 1, 2, 4)[descriptor & 3], (is_single, 2, 4, 8)[descriptor >> 6])
        file.seek(sum(sizes), 1)
        is_last = False
        while not is_last and len(header := file.read(3)) == 3:
            block = int.from_bytes(header, "little")
            is_last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
            size += length if kind < 2 else 1 << 17  # as it is, or a byte so many times; else compressed
            file.seek(1 if kind == 1 else length, 1)
        file.seek(4 * (descriptor >> 2 & 1), 1)  # a checksum
    return size
