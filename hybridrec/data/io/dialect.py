"""Detection of the dialect of a text table: its encoding, separator, quotes and header line."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shlex import quote as shell_quoted
from typing import Any

from hybridrec.data.io.files import COLONS, COLONS_AS, opened
from hybridrec.data.io.quotes import double_quotes, has_escapes
from hybridrec.data.io.text_shapes import shape_of_lines
from hybridrec.errors import DataError

SEPARATORS = (COLONS, ",", "\t", ";", "|", " ")
ENCODINGS = ("cp949", "cp932", "gb18030", "big5", "cp1251", "koi8_r", "euc_jp")
"""Encodings of scripts other than Latin that spreadsheets and old tools wrote."""
MANY = 0.3
"""A text in which the share of letters beyond ASCII is larger than this is in another script than Latin."""
RUN = 2
"""The mean number of bytes beyond ASCII that follow each other in a text in another script than Latin, at least."""
LATIN = ("cp1252", "mac_roman")
"""Encodings of the Latin script: in the wrong one a text has letters too, but capitals and signs within words."""
ODD_CAPITAL = re.compile(r"(?<=[a-z])[^\x00-\x7fß-ÿ\s’–—…]|\ufffd|[^\x00-\x7f\w\s](?=[a-z])")
SAMPLE = 1000
"""The number of lines of a file that are used to find its dialect."""
HEAD = 1 << 22
"""The number of bytes of a file that are used to find its dialect."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The form of a text table.

    options: the options of the reader `table` that differ from their defaults
    names: the names of the columns, from the header line, or `column1`, `column2`, ...
    header: True if the first line holds names
    reasons: the evidence for choices that are not obvious, a sentence each
    """

    options: dict[str, Any]
    names: tuple[str, ...]
    header: bool
    reasons: tuple[str, ...]


def dialect_of(path: Path, default: str = ",", *, header: bool | None = None, words: frozenset[str]) -> Dialect:
    """Return the dialect of a text table; `default` is the separator that files of its kind usually have.

    With `header` True the first line holds names, with False it does not, with None its content decides. `words` are
    names that columns often have, in lower case. Raises DataError if the file is empty or holds JSON, and if its lines
    have different numbers of fields.
    """
    with opened(path) as file:
        raw = file.read(HEAD)
    whole = len(raw) < HEAD
    reasons: list[str] = []
    encoding = encoding_of(path, raw)
    text = raw.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    lines = _lines(text, whole)
    if not lines:
        raise DataError(f"{path} is empty")
    if lines[0].lstrip().startswith(("{", "[{", "[[")) or lines[0].strip() == "[":
        raise DataError(
            f"{path} holds JSON; right is one object per line, in a file that ends in .jsonl "
            f"(`jq -c '.[]' {path.name} > {path.stem}.jsonl` writes it from an array), or a table"
        )
    escaped = has_escapes(text)
    if escaped:
        lines = [double_quotes(line.encode(), "utf-8").decode() for line in lines]
    if shape := shape_of_lines(path, lines):
        raise DataError(shape)
    separator, quote = _separator(path, lines, default)
    rows = _rows(lines, separator, quote)
    width = Counter(map(len, rows)).most_common(1)[0][0]
    _refuse_preamble(path, text, rows, width)
    has_header, why = (header, "as you said") if header is not None else _header(rows, width, words)
    options: dict[str, Any] = {}
    if encoding:
        options["encoding"] = encoding
        reasons.append(f"it is not UTF-8; read as {encoding} its words look like words")
    if separator != default:
        options["separator"] = separator
    if escaped and quote is not None:
        options["escape"] = "\\"
        reasons.append("a backslash stands before quotes in its texts")
    if quote is None:
        options["quote"] = None
        reasons.append("quotes in it are not closed, so that they have no meaning")
    names = tuple(rows[0]) if has_header else tuple(f"column{number}" for number in range(1, width + 1))
    if not has_header:
        options["columns"] = list(names)
        reasons.append(f"its first line holds values, not names ({why})")
    elif header is None and why:
        reasons.append(why)
    return Dialect(options, names, bool(has_header), tuple(reasons))


def _refuse_preamble(path: Path, text: str, rows: Sequence[Sequence[str]], width: int) -> None:
    """Raise DataError if the file begins with lines that are not rows of the table, such as a title or comments."""

    def is_row(fields: Sequence[str]) -> bool:
        return len(fields) == width and sum(not field.strip() for field in fields) <= width / 2

    start = next((place for place, fields in enumerate(rows[:PREAMBLE]) if is_row(fields)), 0)
    if width > 1 and start > 0:
        filled = (number for number, line in enumerate(text.splitlines(), start=1) if line.strip())
        number = next(islice(filled, start, None), start + 1)
        line = text.splitlines()[number - 1]
        raise DataError(
            f"{path}: the table begins in line {number}: {line[:100]!r}. Right is a file without the lines above it "
            f"(`tail -n +{number} {shell_quoted(path.name)}` prints one)"
        )


PREAMBLE = 50
"""The number of lines among which the first row of a table is looked for."""


def has_json_lines(path: Path) -> bool:
    """Return True if the first two lines of a file are JSON objects; if it has only one line, that line must be one."""
    with opened(path) as file:
        lines = [line.strip() for line in islice(file, 2)]
    try:
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False


def is_tab_table(path: Path) -> bool:
    """Return True if a file has several lines, and its first lines all have the same number of tabs, at least one."""
    if not path.is_file():
        return False
    with opened(path) as file:
        head = file.read(HEAD)
    whole = len(head) < HEAD  # else the last line may be cut
    lines = [line for line in head.splitlines()[: None if whole else -1][:SAMPLE] if line.strip()]
    tabs = {line.count(b"\t") for line in lines}
    return len(lines) > 1 and len(tabs) == 1 and 0 not in tabs


def encoding_of(path: Path, head: bytes) -> str | None:
    """Return the encoding of a text file, None if it is UTF-8; `head` are its first bytes."""
    from charset_normalizer import from_bytes

    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return name
    strange = _not_utf8(path)
    if not strange:
        return None
    # If nearly all lines of a file are ASCII, the few others say more about its encoding than the whole file.
    text = b"\n".join(strange)
    high, runs = re.findall(rb"[\x80-\xff]", text), re.findall(rb"[\x80-\xff]+", text)
    words = len(high) >= RUN * len(runs)  # an accent stands alone, also among digits
    if words and len(high) > MANY * len(re.findall(rb"[A-Za-z\x80-\xff]", text)):
        guessed = from_bytes(text, cp_isolation=list(ENCODINGS)).best()
        return "cp1252" if guessed is None else guessed.encoding
    return min(LATIN, key=lambda encoding: len(ODD_CAPITAL.findall(text.decode(encoding, errors="replace"))))


def _not_utf8(path: Path) -> list[bytes]:
    """Return at most SAMPLE lines with bytes beyond ASCII if a file is not UTF-8; an empty list if it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(path) as file:
        try:
            while block := file.read(HEAD):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            file.seek(0)
            return list(islice((line for line in file if not line.isascii()), SAMPLE))
    return []


def _lines(text: str, whole: bool) -> list[str]:
    """Return the first lines that are not blank, at most SAMPLE, without line ends.

    Unless `whole` says that the text is the whole file, its last line is left out, as it may be cut.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    lines = text.split("\n")
    kept = lines if whole else lines[:-1]
    return [line.rstrip("\r") for line in kept if line.strip()][:SAMPLE]


def _rows(lines: Sequence[str], separator: str, quote: str | None) -> list[list[str]]:
    if separator == COLONS:
        lines, separator = [line.replace(COLONS, COLONS_AS) for line in lines], COLONS_AS
    if quote is None:
        return list(csv.reader(list(lines), delimiter=separator, quoting=csv.QUOTE_NONE))
    return list(csv.reader(list(lines), delimiter=separator, quotechar=quote))


def _separator(path: Path, lines: list[str], default: str) -> tuple[str, str | None]:
    """Return (separator, quote) of a text table: the pair with which the most lines have the same number of fields.

    This number must be more than one. If no separator occurs, the table has one column, and the result is `default`
    with double quotes. The quote is None if quotes have no meaning in the file. Raises DataError if too few lines have
    the same number of fields.
    """
    tried, uneven = [], []
    for quote in ('"', None):
        for separator in (default, *(other for other in SEPARATORS if other != default)):
            try:
                lengths = [len(row) for row in _rows(lines, separator, quote)]
            except csv.Error:
                continue
            widths, rows = Counter(lengths), len(lengths)
            width, count = widths.most_common(1)[0]
            if width > 1 and rows > len(lines) / 20:  # an open quote swallows the lines after it
                like_first = lengths[0] == width  # a decimal comma is in every line but that of the names
                usual = {default: 1, COLONS: 2, " ": -1}.get(separator, 0)  # nobody writes two colons for anything else
                rank = (round(count / rows, 1), like_first, usual, quote is not None, width)
                tried.append((rank, separator, quote))
            elif separator != " " and rows - widths[1] > rows / 5:
                uneven.append((separator, quote))
    if not tried and not uneven:
        return default, '"'  # one column: the lines are as they are
    (share, *_), separator, quote = max(tried, key=lambda entry: entry[0]) if tried else ((0.0,), *uneven[0])
    if share < 0.6:
        numbers = sorted({len(row) for row in _rows(lines[:5], separator, quote)})
        raise DataError(
            f"{path}: its lines have different numbers of fields ({', '.join(map(str, numbers))} in the first five). "
            "If a line is a whole list or basket, write one line for each of its items, with an id of the list: "
            "list,item"
        )
    return separator, quote


LONGEST_NAME = 80
"""The largest number of characters of the name of a column; longer texts in a first line are values."""
NUMBER = re.compile(r"^[-+]?[\d.,' ]*\d[\d.,' ]*(?:e[-+]?\d+)?%?$", re.IGNORECASE)
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")


def _header(rows: list[list[str]], width: int, words: frozenset[str]) -> tuple[bool, str]:
    """Return (has_names, reason) for the first line of a file: True if it holds names, and a sentence that says why.

    The reason is "" if the answer is obvious.
    """
    first, others = rows[0], [row for row in rows[1:] if len(row) == width]
    if len(first) != width or not others:
        return True, ""
    for place, name in enumerate(first):
        if _is_value(name):
            return False, f"{name!r} is a value"
        cells = [row[place].strip() for row in others]
        if sum(map(_is_value, cells)) > 0.9 * len(cells):
            return True, ""  # a word above numbers or times
    if any({name.strip().lower().removesuffix("s"), *re.findall(r"[a-z]+", name.lower())} & words for name in first):
        return True, ""
    for place, name in enumerate(first):
        if any(name.strip() == row[place].strip() for row in others):
            return False, f"{name!r} occurs again in the same column"
    return True, "its first line is taken for names, though it may hold values; say --no-header if it does"


def _is_value(cell: str) -> bool:
    cell = cell.strip()
    is_text = len(cell) > LONGEST_NAME or cell.startswith(("http://", "https://", "[", "{"))
    return bool(is_text or NUMBER.match(cell) or DATE.search(cell))
