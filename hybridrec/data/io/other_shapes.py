"""Tables in which a row is not one interaction: matrices and lists, each with the form to bring it into."""

from __future__ import annotations

import re
from collections import Counter

import polars as pl

from hybridrec.data.io.column_profile import ColumnProfile
from hybridrec.data.io.inspected_file import InspectedFile

WIDE = 20
"""The number of columns of numbers or flags from which a file may have a column for each item."""
NUMBERED = 4
"""The number of columns of texts that differ in a number (`Item 1`, `Item 2`) from which a row may be a list."""
MOST = 0.8
"""The share of the columns of a wide file that must be of one type."""
IDS_IN_A_CELL = 3
"""The mean number of ids in a cell from which a column holds lists of ids."""


def shape_of(file: InspectedFile) -> str:
    """Return a sentence on the form of a file whose rows are not interactions, and on the right form.

    The sentence is "" if no such form shows.
    """
    profiles = [*file.profiles.values()]
    wide = [column for column in profiles if column.type in ("number", "flag")]
    if len(wide) >= WIDE and len(wide) >= MOST * len(profiles):
        return (
            f"{file.name}: {len(wide):,} of its {len(profiles):,} columns hold numbers or flags, so that it may have a "
            "column for each item. Right is a row for each user and item: user,item,rating (`melt` or `unpivot` of "
            "pandas and Polars make it)"
        )
    stems = Counter(re.sub(r"\d+", "", column.name) for column in profiles if column.type in ("text", "empty"))
    stem, count = max(stems.items(), key=lambda entry: entry[1], default=("", 0))
    if count >= max(NUMBERED, MOST * (len(profiles) - 1)) and "columns" not in file.options:
        return (
            f"{file.name}: its {count} columns {stem.strip()!r} differ in a number, so that a row may be a list or a "
            "basket. Right is a row for each of its items, with an id of the list: list,item"
        )
    lists = [column.name for column in profiles if column.type == "nested" or holds_ids(file, column)]
    if lists:
        return (
            f"{file.name}: cells of {', '.join(map(repr, lists))} hold several values. Right is a row for each of "
            "them, beside the user"
        )
    return ""


def holds_ids(file: InspectedFile, column: ColumnProfile) -> bool:
    """Return True for a column of texts whose cells hold several ids with spaces between them."""
    if column.type != "text":
        return False
    cells = file.frame[column.name].cast(pl.String, strict=False).drop_nulls().head(1000).str.split(" ")
    ids = cells.explode().drop_nulls()
    return len(ids) >= IDS_IN_A_CELL * len(cells) and bool((ids.str.contains(r"\d").mean() or 0.0) > MOST)  # type: ignore[operator]
