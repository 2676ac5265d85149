"""The elements of a long JSON array one after the other: only one of them is in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridrec.data.io.bad_lines import Malformed

CHUNK = 1 << 20
"""Characters that are read at once."""

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|["{}\[\]]')
"""What decides where an object ends: texts, in which brackets mean nothing, and brackets; a quote that is alone
belongs to a text that is not read to its end, or has none."""

START = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*\[|\[')
"""The beginning of an array, with its key if it has one."""

NO_OBJECT = "not a JSON object"
"""What is said of an element that is a number, say."""

BETWEEN = " \t\r\n,"
"""What stands between two elements."""


def read_elements(path: Path, malformed: Malformed, key: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line at which each object of an array begins, and the object.

    The array is the whole file, or what stands under `key` of the object that the file is. Elements that
    are no JSON objects are malformed; where brackets do not close, that is all up to the end.
    """
    for line, text, wrong in _elements(path, key):
        if wrong is not None:
            malformed.add(path, [line], wrong)
            continue
        try:
            text.encode()
            element = json.loads(text)
        except UnicodeEncodeError:
            malformed.add(path, [line], "not utf-8")
        except json.JSONDecodeError as error:
            malformed.add(path, [line + error.lineno - 1], f"not JSON ({error.msg})")
        else:
            if isinstance(element, dict):
                yield line, element
            else:
                malformed.add(path, [line], NO_OBJECT)


def _elements(path: Path, key: str | None) -> Iterator[tuple[int, str, str | None]]:
    """Line and text of each element, its brackets matched, and what is wrong with what stands in the place of one."""
    text, line = "", 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        start = None
        while start is None and (chunk := file.read(CHUNK)):
            text += chunk
            start = _start(text, key)
        if start is None:
            yield line, text, "no array" if key is None else f'no array under "{key}"'
            return
        line, text = line + text.count("\n", 0, start), text[start:]
        while True:
            done = 0
            for begin, end in _spans(text):
                between = text[done:begin].lstrip(BETWEEN)
                line += text.count("\n", done, begin - len(between))
                if between:
                    yield line, between, NO_OBJECT
                line += between.count("\n")
                if begin == end:
                    return
                yield line, text[begin:end], None
                line += text.count("\n", begin, end)
                done = end
            text = text[done:]
            if not (chunk := file.read(CHUNK)):
                break
            text += chunk
    rest = text.lstrip(BETWEEN)
    yield line + text.count("\n", 0, len(text) - len(rest)), rest, "the array does not close"


def _start(text: str, key: str | None) -> int | None:
    """Where the array begins in the text; None if that is not read yet."""
    for match in START.finditer(text):
        if key is None or match[0].startswith(f'"{key}"'):
            return match.end()
    return None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each whole object; the end of the array as a span without length, the last."""
    depth = begin = 0
    for token in TOKEN.finditer(text):
        mark = token[0]
        if mark == '"':
            if "\n" not in text[token.start() :]:
                return
        elif mark in "{[":
            begin = token.start() if depth == 0 else begin
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth < 0:
                yield token.start(), token.start()
                return
            if depth == 0:
                yield begin, token.end()
