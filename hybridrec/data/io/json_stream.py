"""The elements of a long JSON array one after the other: only one of them is in memory.

The decoder of the standard library takes whole elements. Where it fails, an element is broken or not read to
its end: then brackets are matched, so that the elements after a broken one are still read, and each has its
line. `docs/decisions/21-json-in-elements.md` compares this with ijson.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridrec.data.io.bad_lines import BadLines

CHUNK = 1 << 20
"""Characters that are read at once."""

DECODER = json.JSONDecoder()

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|["{}\[\]]')
"""Tokens that decide where an object ends: strings, in which brackets have no meaning, and brackets; a quote alone
begins a string that is not read to its end, or is not closed.
"""

START = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*\[|\[')
"""The beginning of an array, with its key if it has one."""

NO_OBJECT = "not a JSON object"
"""Message for an element that is not an object, a number for example."""

BETWEEN = " \t\r\n,"
"""Characters between two elements."""


def read_elements(path: Path, bad_lines: BadLines, key: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line at which each object of an array begins, and the object.

    The array is the whole file, or what stands under `key` of the object that the file is. Elements that
    are not JSON objects are malformed; where brackets do not close, that is all up to the end.
    """
    for line, text, element, wrong in _elements(path, key):
        if wrong is not None:
            bad_lines.add(path, [line], wrong)
            continue
        try:
            text.encode()
            element = json.loads(text) if element is None else element
        except UnicodeEncodeError:
            bad_lines.add(path, [line], "not utf-8")
        except json.JSONDecodeError as error:
            bad_lines.add(path, [line + error.lineno - 1], f"not JSON ({error.msg})")
        except ValueError:
            bad_lines.add(path, [line], "not JSON (a number has too many digits)")
        except RecursionError:
            bad_lines.add(path, [line], "not JSON (nested too deeply)")
        else:
            if isinstance(element, dict):
                yield line, element
            else:
                bad_lines.add(path, [line], NO_OBJECT)


def _elements(path: Path, key: str | None) -> Iterator[tuple[int, str, Any, str | None]]:
    """Yield line and text of each element, what it decodes to (None: it does not), and what else is wrong with it."""
    text, line = "", 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        start = None
        while start is None and (chunk := file.read(CHUNK)):
            text += chunk
            start = _start(text, key)
        if start is None:
            yield line, text, None, "no array" if key is None else f'no array under "{key}"'
            return
        line, text = line + text.count("\n", 0, start), text[start:]
        while True:
            done = 0
            for begin, end, element in _spans(text):
                between = text[done:begin].lstrip(BETWEEN)
                line += text.count("\n", done, begin - len(between))
                if between:
                    yield line, between, None, NO_OBJECT
                line += between.count("\n")
                if begin == end:
                    return
                yield line, text[begin:end], element, None
                line += text.count("\n", begin, end)
                done = end
            text = text[done:]
            if not (chunk := file.read(CHUNK)):
                break
            text += chunk
    rest = text.lstrip(BETWEEN)
    yield line + text.count("\n", 0, len(text) - len(rest)), rest, None, "the array does not close"


def _start(text: str, key: str | None) -> int | None:
    """Return the position where the array begins in the text; None if it is not read yet."""
    for match in START.finditer(text):
        if key is None or match[0].startswith(f'"{key}"'):
            return match.end()
    return None


def _spans(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield beginning and end of each whole object or array, and what it decodes to, or None if it does not.

    The end of the array that they stand in comes last, as a span without length.
    """
    depth = begin = place = 0
    while token := TOKEN.search(text, place):
        place, mark = token.end(), token[0]
        if mark == '"':
            if "\n" not in text[token.start() :]:
                return
        elif mark in "{[":
            if depth == 0:
                begin = token.start()
                try:
                    element, place = DECODER.raw_decode(text, begin)
                except (ValueError, RecursionError):
                    pass
                else:
                    yield begin, place, element
                    continue
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth < 0:
                yield token.start(), token.start(), None
                return
            if depth == 0:
                yield begin, token.end(), None
