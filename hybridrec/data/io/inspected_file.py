"""Files of unknown role, read without their malformed lines, with the profiles of their columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.column_profile import ColumnProfile, profile_column
from hybridrec.data.io.dialect import dialect_of, has_json_lines
from hybridrec.data.io.files import FileSource, format_of, load, opened
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.data.io.part_files import part_files
from hybridrec.data.io.quotes import has_escapes
from hybridrec.data.io.roles import ALL_WORDS
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.types import PADDING

if TYPE_CHECKING:
    import polars as pl

TRIPLET = ("user", "item", "count")
"""Names for the columns of files of triplets, which have no header line: the Million Song Dataset, for example."""


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file of unknown role: its options, its rows, and the profiles of its columns.

    shares_name: True if another file, in another folder, is called the same
    """

    path: Path
    options: dict[str, Any]
    frame: pl.DataFrame
    profiles: dict[str, ColumnProfile]
    notes: tuple[str, ...] = ()
    shares_name: bool = False

    @property
    def name(self) -> str:
        """The name of the file, for messages; with its folder if another file is called the same."""
        return str(self.options["path"]) if self.shares_name else self.path.name

    def keys(self, column: str) -> Vocabulary:
        """Return the distinct values of a column, or the distinct entries of its lists."""
        return Vocabulary(_as_ids(self.frame[column]))

    def share(self, column: str, ids: Vocabulary) -> float:
        """Return the share of a column's distinct values that are among these ids."""
        values = _as_ids(self.frame[column]).unique()
        return float(np.mean(ids.encode(values) != PADDING)) if len(values) else 0.0

    def determines(self, column: str, other: str) -> float:
        """Return the share of the rows in which the value in `column` determines the value in `other`.

        A value determines the other one if all rows that have it have the same value in `other`.
        """
        import polars as pl

        pairs = self.frame.select(column, other).drop_nulls()
        same = pairs.group_by(column).agg(pl.col(other).n_unique().alias("values"), pl.len().alias("rows"))
        return float(same.filter(pl.col("values") == 1)["rows"].sum() / max(1, len(pairs)))


def inspect_file(path: Path, folder: Path, *, header: bool | None = None, columns_given: bool = False) -> InspectedFile:
    """Read a file, without its malformed lines, and profile its columns.

    `header` is True if the first line holds names, False if it does not, and None if its content decides. With
    `columns_given`, a person has named columns, so that none is renamed. Raises DataError if the file cannot be read.
    """
    options: dict[str, Any] = {"path": os.path.relpath(path, folder)}
    parts, kind = part_files(path), format_of(path)
    if parts[0].path != path:
        table = FileSource(path=path)
        parts, kind = table.parts, table.kind
    reasons: tuple[str, ...] = ()
    if len(parts) > 1:
        reasons = (f"its {len(parts):,} files are read as the parts of one table",)
    if kind != "parquet" and parts[0].path.is_file():
        check_lines(parts[0].path)
    if kind is None and parts[0].path.is_file() and has_json_lines(parts[0].path):
        kind = options["format"] = "jsonl"
    if parts[0].path.is_file() and kind in (None, "csv", "tsv"):
        default = "\t" if kind == "tsv" else ","
        dialect = dialect_of(parts[0].path, default, header=header, words=ALL_WORDS)
        stated = dict(dialect.options)
        if kind is None:
            tabs = stated.get("separator") == "\t"
            options["format"] = "tsv" if tabs else "csv"
            stated = {key: value for key, value in stated.items() if not (tabs and key == "separator")}
        options |= stated
        reasons += dialect.reasons
    frame, problems = _rows_of(path, options, folder)
    reasons += problems
    profiles = {name: profile_column(frame[name]) for name in frame.columns}
    if missing := sorted({text for column in profiles.values() for text in column.missing}):
        frame, _ = _rows_of(path, {**options, "missing": missing}, folder)
    if not columns_given and _are_triplets(frame, profiles):
        options["columns"] = list(TRIPLET)
        frame = frame.rename(dict(zip(frame.columns, TRIPLET, strict=True)))
        profiles = {name: profile_column(frame[name]) for name in TRIPLET}
        reasons += ("three columns without names, of ids, ids and counts, are taken for user, item and count",)
    return InspectedFile(path, options, frame, profiles, reasons)


def _are_triplets(frame: pl.DataFrame, profiles: Mapping[str, ColumnProfile]) -> bool:
    """Return True for three columns without names: two of ids, and one with a count for each pair of them."""
    if frame.columns != ["column1", "column2", "column3"]:
        return False
    first, second, third = profiles.values()
    if not (first.may_be_id and second.may_be_id) or first.is_unique or second.is_unique:
        return False
    counts = third.numbers is not None and third.numbers[2] and third.numbers[0] >= 1
    return counts and len(frame.select("column1", "column2").unique()) > 0.95 * len(frame)


def _rows_of(path: Path, options: dict[str, Any], folder: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return (rows, notes): the rows that can be read, and sentences about malformed lines and quotes of the file.

    If quotes in the file are not closed, `options` is changed. If a backslash stands before quotes, `escape` is set;
    otherwise `quote` is set to None, so that quotes are characters like others.
    """
    try:
        return _loaded(options, folder, BadLines(strict=True, option=False)), ()
    except DataError as error:
        if "a quote" in str(error) and not {"quote", "escape"} & options.keys():
            if _has_late_escapes(options, folder):
                options["escape"] = "\\"
                rows, problems = _rows_of(path, options, folder)
                return rows, ("a backslash stands before quotes in its texts", *problems)
            options["quote"] = None
            rows, problems = _rows_of(path, options, folder)
            return rows, ("quotes in it are not closed, so that they have no meaning", *problems)
    bad_lines = BadLines(strict=False)
    rows = _loaded(options, folder, bad_lines)  # a file that cannot be read at all says so here
    return rows, tuple(note.removeprefix(f"{path}: ") for note in bad_lines.notes())


def _has_late_escapes(options: Mapping[str, Any], folder: Path) -> bool:
    """Return True if a backslash stands before quotes anywhere in a table, even below the first lines or parts."""
    encoding = options.get("encoding", "utf-8")
    for part_file in FileSource.model_validate(options, context={"folder": folder}).parts:
        if part_file.path.is_file():
            with opened(part_file.path) as file:
                if has_escapes(file.read().decode(encoding, errors="replace")):
                    return True
    return False


def _loaded(options: Mapping[str, Any], folder: Path, bad_lines: BadLines) -> pl.DataFrame:
    return load(FileSource.model_validate(options, context={"folder": folder}), bad_lines)[0].collect()


def _as_ids(values: pl.Series) -> pl.Series:
    """Return the values of a column, or the entries of its lists, as the texts that the reader makes of ids."""
    import polars as pl

    values = values.explode() if values.dtype.is_nested() else values
    if values.dtype.is_float():
        values = values.fill_nan(None)
        if bool((values == values.round()).fill_null(True).all()):
            values = values.cast(pl.Int64, strict=False)
    texts = values.cast(pl.String, strict=False).drop_nulls()
    texts = texts.filter(texts != "")
    return texts.str.strip_suffix(".0") if bool(texts.str.contains(r"^\d+\.0$").all()) else texts
