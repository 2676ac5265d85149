"""Files of text that are not tables: blocks of rows and records of several lines, and the right form of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

BLOCK = re.compile(r"^\S+:$")
"""A line above the rows of an item."""
RECORD = re.compile(r"^([\w./-]+): \S")
"""A line with a value of a record."""


def shape_of_lines(path: Path, lines: Sequence[str]) -> str:
    """Return a sentence on the form of a file of text that is not a table, by its first lines; "" if it may be a table.

    Two such forms are recognised: a line `ID:` above the rows of each item, and a line `key: value` for each value of a
    record.
    """
    heads = [line for line in lines if BLOCK.match(line)]
    below = next((line for head, line in pairwise(lines) if BLOCK.match(head)), "")
    if len(heads) > 1 and BLOCK.match(lines[0]) and not BLOCK.match(below):
        return (
            f"{path}: lines like {lines[0]!r} stand above blocks of rows. Right is one table with that id in each row: "
            f"{lines[0].removesuffix(':')},{below}"
        )
    keys = Counter(match[1] for line in lines if (match := RECORD.match(line)))
    if len(keys) > 1 and keys.total() > 0.9 * len(lines) and keys.total() > 3 * len(keys):
        return (
            f"{path}: each record takes several lines, `key: value`. Right is a table with the columns "
            f"{','.join(list(keys)[:5])}, or an object of JSON in each line of a file that ends in .jsonl"
        )
    return ""
