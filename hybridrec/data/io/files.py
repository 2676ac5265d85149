"""CSV, TSV, Parquet and JSON Lines files as polars frames, with errors that name the file and the line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from hybridrec.assigned_text import beside_the_command
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.errors import DataError, did_you_mean
from hybridrec.plugin import Options, beside_the_config

if TYPE_CHECKING:
    import polars as pl

Format: TypeAlias = Literal["csv", "tsv", "parquet", "jsonl"]

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""Format by the ending of a file's name."""

COMPRESSED = (".gz", ".zst")
"""Endings of compressed files, after that of the format: `plays.csv.gz`."""

_KEPT_AS_TEXT = 1 << 26
"""Size in bytes from which the columns of a csv or tsv file are compressed: below, that costs more than it saves."""


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"unknown encoding {name!r}; usual ones are utf-8, latin-1, cp1252, cp949") from None


Character: TypeAlias = Annotated[str, Field(pattern=r"^[\x00-\x7f]$")]
"""One ASCII character."""


COLONS, COLONS_AS = "::", "\x1f"
"""A separator of two characters, and the one that replaces it while a file is read."""
FRAME = "frame:"
"""The beginning of a path that names a frame handed in from Python."""
NO_FRAMES: Mapping[str, pl.DataFrame] = MappingProxyType({})
"""Nothing handed in."""


def _assigned(value: object) -> object:
    return value if isinstance(value, str) and value.startswith(FRAME) else beside_the_command(value)


def _file_or_frame(path: Path, info: ValidationInfo) -> Path:
    return path if str(path).startswith(FRAME) else beside_the_config(path, info)


TablePath = Annotated[Path, BeforeValidator(_assigned), AfterValidator(_file_or_frame)]
"""A path in a configuration as `InputPath`, or `frame:NAME`."""


class File(Options):
    """Place and format of a table."""

    path: TablePath
    """Path of the file, relative to the config file; `frame:NAME` is a frame handed in from Python with `data=`."""

    format: Format | None = None
    """By default from the ending of the name: .csv, .tsv, .tab, .parquet, .pq, .jsonl or .ndjson; those of text may be
    compressed (.csv.gz, .csv.zst)."""

    separator: Character | Literal["::"] | None = None
    """Character between the fields of a line, or `::`; by default a comma in csv and a tab in tsv."""

    quote: Character | None = '"'
    """Character around fields that contain the separator (csv, tsv); null if quotes have no meaning in this file."""

    columns: tuple[str, ...] | None = None
    """Names of the columns, for a csv or tsv file without a header line."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Encoding of a csv or tsv file."""

    missing: tuple[str, ...] = Field((), examples=[["NULL", "?"]])
    """Texts that stand for a missing value, beside an empty one."""

    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers that are texts."""

    thousands: Literal[",", ".", " ", "'"] | None = None
    """Mark between thousands, in numbers that are texts: with a comma `1,234.5` is a number."""

    @property
    def frame(self) -> str | None:
        """The name of the frame that is the table; None if it is in a file."""
        path = str(self.path)
        return path.removeprefix(FRAME) if path.startswith(FRAME) else None

    @property
    def kind(self) -> Format:
        """The format, as given or from the name; a frame has rows and typed columns as a Parquet file has."""
        if self.frame is not None:
            return "parquet"
        if self.format is not None:
            return self.format
        if (kind := format_of(self.path)) is None:
            raise DataError(
                f"{self.path}: the name does not show the format; set `format` to csv, tsv, parquet or jsonl"
            )
        return kind

    @property
    def delimiter(self) -> str:
        """The character between two fields of a line, once `::` is replaced."""
        return COLONS_AS if self.separator == COLONS else self.separator or ("\t" if self.kind == "tsv" else ",")

    @property
    def dialect(self) -> dict[str, Any]:
        """The dialect in the terms of the csv module."""
        quoting = csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL
        return {"delimiter": self.delimiter, "quotechar": self.quote, "quoting": quoting}

    @property
    def unit(self) -> str:
        """The unit in which rows of this file are counted, for messages."""
        return "row" if self.kind == "parquet" else "line"

    @property
    def first_row(self) -> int:
        """The line (or row) of the file that holds its first row of data, counted from 1."""
        return 1 if self.kind in ("parquet", "jsonl") or self.columns else 2


class Join(File):
    """A second file whose columns are looked up for each row of the first."""

    match: dict[str, str] = Field(min_length=1)
    """Columns that must agree: {column of the first file: column of this one}."""


class FileSource(File):
    """A file, optionally with columns looked up in another one."""

    join: Join | None = None
    """Adds the columns of a second file: names for codes, or weights from elsewhere."""


def format_of(path: Path) -> Format | None:
    """Return the format that the ending of a name shows, before one of compression; None if it shows none."""
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return FORMATS.get(path.suffix.lower())


def opened(path: Path) -> BinaryIO:
    """Open a file for reading bytes; one compressed by gzip as what it holds. Raises DataError for zstd."""
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix.lower() == ".zst":
        raise DataError(f"{path}: its lines can be looked at one by one only once it is decompressed (`zstd -d`)")
    return path.open("rb")


def _content(file: File) -> bytes:
    with opened(file.path) as lines:
        return _parted(file, lines.read())


def _parted(file: File, text: bytes) -> bytes:
    """Return text with separators of one character."""
    return text.replace(COLONS.encode(), COLONS_AS.encode()) if file.separator == COLONS else text


def load(
    source: FileSource, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame] = NO_FRAMES
) -> tuple[pl.LazyFrame, pl.Series | None]:
    """Load the rows of the file, in its order, all columns of csv and tsv files as text; or those of one of `frames`.

    The second result is the row of the file, counted from 0, of each loaded row, if lines were skipped. Raises
    DataError if the file is missing, empty or cannot be parsed.
    """
    frame, rows = _read(source, bad_lines, frames)
    frame = _without_missing(frame, source)
    if source.join is not None:
        frame = _joined(frame.collect(), source, source.join, bad_lines, frames).lazy()
    return frame, rows


def check_column(path: Path, name: str, available: Iterable[str]) -> None:
    """Raise DataError if the file does not have this column."""
    if name not in available:
        raise DataError(f"{path} has no column {name!r}; {did_you_mean(name, available)}")


def _joined(
    frame: pl.DataFrame, source: FileSource, join: Join, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Join on the left; a key that is repeated in the second file is malformed, a missing one gives nulls."""
    import polars as pl

    read, rows = _read(join, bad_lines, frames)
    other = _without_missing(read, join).collect()
    left, right = list(join.match), list(join.match.values())
    for name in left:
        check_column(source.path, name, frame.columns)
    for name in right:
        check_column(join.path, name, other.columns)
    # As text, so that a number in one file matches the same number in the other, whatever their formats.
    frame = frame.with_columns(pl.col(left).cast(pl.String))
    other = other.with_columns(pl.col(right).cast(pl.String))
    again = ~pl.select(pl.struct(*other.select(right)).is_first_distinct()).to_series()
    if again.any():
        places = again.arg_true()
        key = ", ".join(f"{name} {other[name][places[0]]!r}" for name in right)
        places = join.first_row + (places if rows is None else rows.gather(places))
        problem = f"{key} occurs more than once; a joined file needs one row for each key"
        bad_lines.add(join.path, places.to_list(), problem, unit=join.unit)
        other = other.filter(~again)
    return frame.join(other, left_on=left, right_on=right, how="left", maintain_order="left")


def _without_missing(frame: pl.LazyFrame, file: File) -> pl.LazyFrame:
    """Replace the texts that stand for a missing value by null."""
    import polars as pl

    if not file.missing:
        return frame
    texts = pl.col(pl.String)
    return frame.with_columns(pl.when(~texts.str.strip_chars().is_in(file.missing)).then(texts).name.keep())


def _read(file: File, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame]) -> tuple[pl.LazyFrame, pl.Series | None]:
    import polars as pl

    if file.frame is not None:
        if file.frame not in frames:
            raise DataError(f"{file.path}: no frame '{file.frame}' was handed in; {did_you_mean(file.frame, frames)}")
        return frames[file.frame].lazy(), None
    if not file.path.is_file():
        raise DataError(f"{file.path}: no such file")
    if not file.path.stat().st_size:
        raise DataError(f"{file.path} is empty")
    try:
        if file.kind == "parquet":
            frame = pl.scan_parquet(file.path, glob=False)
            frame.collect_schema()
            return frame, None
        if file.kind == "jsonl":
            return pl.read_ndjson(io.BytesIO(file.path.read_bytes()), infer_schema_length=None).lazy(), None
        return _read_csv(file, io.BytesIO(_content(file)) if file.separator == COLONS else file.path), None
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        if not bad_lines.strict and file.kind != "parquet":
            return _read_what_is_whole(file, bad_lines)
        reason = str(error).partition("\n")[0]
        raise DataError(first_broken_line(file) or f"{file.path} cannot be read as {file.kind}: {reason}") from None


def _read_csv(file: File, source: Path | io.BytesIO) -> pl.LazyFrame:
    import polars as pl

    # Every column is read, and as text: a shifted line is detected, and an id like 007 stays unchanged.
    how: dict[str, Any] = {
        "separator": file.delimiter,
        "quote_char": file.quote,
        "has_header": file.columns is None,
        "infer_schema": False,
        "glob": False,
    }
    if isinstance(source, Path) and _ends_with_cr(source):
        how["eol_char"] = "\r"
    if file.encoding == "utf-8" and isinstance(source, Path) and source.stat().st_size >= _KEPT_AS_TEXT:
        frame = _compressed(pl.scan_csv(source, **how))
    else:
        frame = pl.read_csv(source, encoding="utf8" if file.encoding == "utf-8" else file.encoding, **how).lazy()
    if file.columns is None:
        return frame
    names = frame.collect_schema().names()
    if len(file.columns) != len(names):
        raise DataError(f"{file.path} has {len(names)} columns, but `columns` names {len(file.columns)}")
    return frame.rename(dict(zip(names, file.columns, strict=True)))


def _ends_with_cr(path: Path) -> bool:
    """Return True if the lines of a file end with carriage returns alone, as old spreadsheets wrote them."""
    if path.suffix.lower() == ".zst":
        return False
    with opened(path) as file:
        head = file.read(1 << 16)
    return b"\r" in head and b"\n" not in head


def _compressed(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Pack the columns in memory, from where they are streamed as from a Parquet file."""
    import polars as pl

    packed = io.BytesIO()
    frame.sink_parquet(packed, compression="lz4", statistics=False)
    packed.seek(0)
    return pl.scan_parquet(packed)


def _read_what_is_whole(file: File, bad_lines: BadLines) -> tuple[pl.LazyFrame, pl.Series]:
    """Parse line by line, and return the sound lines with their row numbers; the others are reported as malformed."""
    import polars as pl

    whole, numbers, width = [], [], None
    with opened(file.path) as lines:
        for number, line in enumerate(map(partial(_parted, file), lines), start=1):
            problem, fields = what_is_wrong(file, line, width)
            if problem:
                bad_lines.add(file.path, [number], problem)
            elif fields:
                width = fields if width is None else width
                whole.append(line)
                numbers.append(number)
    if not whole:
        raise DataError(f"{file.path} cannot be read as {file.kind}: every line is malformed")
    text = io.BytesIO(b"".join(line.rstrip(b"\r\n") + b"\n" for line in whole))
    try:
        frame = pl.read_ndjson(text, infer_schema_length=None).lazy() if file.kind == "jsonl" else _read_csv(file, text)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(first_broken_line(file) or f"{file.path} cannot be read as {file.kind}: {reason}") from None
    rows = frame.select(pl.len()).collect().item()
    return frame, pl.Series(numbers[len(numbers) - rows :], dtype=pl.Int64) - file.first_row


def first_broken_line(file: File) -> str | None:
    """Describe the first broken line of a file that polars has refused; None if no single line is the cause."""
    if file.kind == "parquet":
        return None
    if file.path.suffix.lower() == ".zst":
        return None
    raw = _content(file)
    try:
        text = raw.decode(file.encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return f"{file.path}, line {line}: not {file.encoding}; set `encoding`, for example to latin-1"
    return _broken_json(file.path, text) if file.kind == "jsonl" else _broken_csv(file, text)


def what_is_wrong(file: File, line: bytes, width: int | None) -> tuple[str, int]:
    """Return the fault of a line, "" if it has none, and its number of fields; the first line had `width`."""
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
        if problem := _wrong_json(line.strip() or "{}"):
            return f"{path}, line {number}: {problem}"
    return None


def _wrong_json(line: str) -> str:
    """Return the fault of a line of JSON Lines, "" if it has none."""
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
            "if quotes have no meaning in this file, set `quote: null`"
        )
    return None
