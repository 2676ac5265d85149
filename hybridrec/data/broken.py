"""Which line of a file is broken, and how, when polars has refused it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybridrec.data.files import File


def first_broken_line(file: File) -> str | None:
    """What is wrong in which line of a file that polars has refused; None if no single line is to blame."""
    if file.kind == "parquet":
        return None
    raw = file.path.read_bytes()
    try:
        text = raw.decode(file.encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return f"{file.path}, line {line}: not {file.encoding}; say which `encoding` it is, latin-1 for example"
    return _broken_json(file.path, text) if file.kind == "jsonl" else _broken_csv(file, text)


def what_is_wrong(file: File, line: bytes, width: int | None) -> tuple[str, int]:
    """What is wrong with a line, "" if nothing, and how many fields it has; the first line had `width`."""
    try:
        text = line.decode(file.encoding).strip("\r\n\ufeff")
    except UnicodeDecodeError:
        return f"not {file.encoding}", 0
    if not text.strip():
        return "", 0
    if file.kind == "jsonl":
        return _wrong_json(text), 1
    try:
        (fields,) = csv.reader([text], strict=True, **file.dialect)
    except (csv.Error, ValueError):
        return f"a quote ({file.quote}) is not closed or not doubled", 0
    if width is not None and len(fields) != width:
        return f"{len(fields)} fields, where the first line has {width}", 0
    return "", len(fields)


def _broken_json(path: Path, text: str) -> str | None:
    for number, line in enumerate(text.split("\n"), start=1):
        if told := _wrong_json(line.strip() or "{}"):
            return f"{path}, line {number}: {told}"
    return None


def _wrong_json(line: str) -> str:
    """What is wrong with a line of JSON Lines, "" if nothing."""
    try:
        return "" if isinstance(json.loads(line), dict) else "not a JSON object"
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg}, column {error.colno})"


def _broken_csv(file: File, text: str) -> str | None:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True, **file.dialect)
    start, width = 1, None
    try:
        for fields in lines:
            width = len(fields) if width is None else width
            if len(fields) > width:
                return f"{file.path}, line {start}: {len(fields)} fields, where the first line has {width}"
            start = lines.line_num + 1
    except csv.Error:
        return (
            f"{file.path}, line {start}: a quote ({file.quote}) is not closed or not doubled; "
            "if quotes mean nothing in this file, say `quote: null`"
        )
    return None
