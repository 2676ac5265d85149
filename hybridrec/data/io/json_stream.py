"""Reading of a long JSON array element by element, so that only one element is in memory.

The decoder of the standard library takes whole elements. If it fails, the element is broken or not yet read to its end;
its end is then found by matching brackets, so that the elements after a broken one are still read, each with its line.
`docs/decisions/21-json-in-elements.md` compares this with ijson.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.errors import format_size

CHUNK = 1 << 20
"""The number of characters that are read at once."""

LONGEST = 1 << 24
"""The most characters of an element, and of what comes before the array: more of them would fill the memory."""

DECODER = json.JSONDecoder()

TOKEN = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|["{}\[\]]')
"""The tokens by which the end of an object is found: brackets, and strings, in which brackets have no meaning. A single
quote begins a string that is not closed, or not yet read to its end.
"""

START = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*:\s*\[|\[')
"""The beginning of an array, with its key if it has one."""

NO_OBJECT = "not a JSON object"
"""Message for an element that is not an object, a number for example."""

BETWEEN = " \t\r\n,"
"""Characters between two elements."""


def read_elements(path: Path, bad_lines: BadLines, key: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) for each object of an array: the line of the file at which it begins, and its content.

    The array is the whole file, or with `key` the value of this key in the object that the file holds. Elements that
    are not JSON objects are malformed. If the brackets do not close, the rest of the file is malformed, too.
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
    """Yield (line, text, value, fault) for each element of the array.

    The value is None if the text could not be decoded yet. The fault is None, unless the text is not an element or the
    array is broken.
    """
    text, line = "", 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        start = None
        # As much again as is not understood yet: a long element is scanned anew each time, in all twice its length.
        while start is None and len(text) < LONGEST and (chunk := file.read(max(CHUNK, len(text)))):
            text += chunk
            start = _start(text, key)
        if start is None:
            wanted = "no array" if key is None else f'no array under "{key}"'
            place = f" in the first {format_size(len(text))}" if len(text) >= LONGEST else ""
            yield line, text, None, f"{wanted}{place}"
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
            if len(text) > LONGEST or not (chunk := file.read(max(CHUNK, len(text)))):
                break
            text += chunk
    rest = text.lstrip(BETWEEN)
    wrong = f"an element of more than {format_size(LONGEST)}" if len(text) > LONGEST else "the array does not close"
    yield line + text.count("\n", 0, len(text) - len(rest)), rest, None, wrong


def _start(text: str, key: str | None) -> int | None:
    """Return the position after the bracket that opens the array; None if the text read so far does not have it."""
    for match in START.finditer(text):
        if key is None or match[0].startswith(f'"{key}"'):
            return match.end()
    return None


def _spans(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield (begin, end, value) for each element of the array, an object or array, that `text` holds to its end.

    The value is None if it cannot be decoded. The last to be yielded is the bracket that closes the array, if `text`
    has it: its `begin` and `end` are equal.
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
