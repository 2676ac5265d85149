"""CSV, TSV, Parquet and JSON Lines files as polars frames, with errors that name the file and the line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from hybridrec.assigned_text import beside_the_command
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.faults import naming
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.data.io.part_files import Origin, PartFile, cloud_path, is_cloud, is_pattern, part_files
from hybridrec.data.io.quotes import double_quotes, swallowed_lines
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
"""The format of a file by the ending of its name."""

COMPRESSED = (".gz", ".zst")
"""Endings of compressed files, which follow the ending of the format: `plays.csv.gz`."""

_SETTLED = 2.0
"""If a file last changed more than this many seconds ago, its next change has another time on any file system."""

_KEPT_AS_TEXT = 1 << 26
"""The size in bytes from which a csv or tsv file is compressed in memory; for a smaller one it would not pay."""


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"unknown encoding {name!r}; usual ones are utf-8, latin-1, cp1252, cp949") from None


Character: TypeAlias = Annotated[str, Field(pattern=r"^[\x00-\x7f]$")]
"""One ASCII character."""


COLONS, COLONS_AS = "::", "\x1f"
"""The separator of two characters, and the single character that replaces it while a file is read."""
FRAME = "frame:"
"""The beginning of a path that names a frame handed in from Python."""
NO_FRAMES: Mapping[str, pl.DataFrame] = MappingProxyType({})
"""An empty mapping, for calls that hand in no frames."""


def _assigned(value: object) -> object:
    elsewhere = isinstance(value, str) and (value.startswith(FRAME) or is_cloud(value))
    return value if elsewhere else beside_the_command(value)


def _placed(path: Path, info: ValidationInfo) -> Path:
    if is_cloud(path):
        return cloud_path(path)
    return path if str(path).startswith(FRAME) else beside_the_config(path, info)


TablePath = Annotated[Path, BeforeValidator(_assigned), AfterValidator(_placed)]
"""An option that is a path like `InputPath`, an address in cloud storage, or the name of a frame: `frame:NAME`."""
_ABOUT = re.compile(r"(readme|licen[cs]e|copying|notice|changelog).*|.*\.(md|rst|html?|pdf)", re.IGNORECASE)
"""Names of files that tell about the data beside them."""


class File(Options):
    """Place and format of one table."""

    path: TablePath
    """Path of the file, relative to the config file. A folder or a pattern (`plays/*.parquet`) stands for all files in
    it, in the order of their names, with a column for each folder `key=value`. An address with `s3://`, `gs://`,
    `az://` or `https://` is read from there. `frame:NAME` is a frame handed in from Python with `data=`."""

    format: Format | None = None
    """Format of the file, by default according to the ending of its name: .csv, .tsv, .tab, .parquet, .pq, .jsonl or
    .ndjson; text files may be compressed (.csv.gz, .csv.zst)."""

    separator: Character | Literal["::"] | None = None
    """Character between the fields of a line, or `::`; by default a comma in csv and a tab in tsv."""

    quote: Character | None = '"'
    """Character around fields that contain the separator (csv, tsv); null if quotes have no meaning in this file."""

    escape: Literal["\\"] | None = None
    r"""Character before a quote that belongs to the text, as in `"say \"hi\""`; by default such a quote is doubled."""

    columns: tuple[str, ...] | None = None
    """Names of the columns, for a csv or tsv file without a header line."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Encoding of a csv or tsv file."""

    missing: tuple[str, ...] = Field((), examples=[["NULL", "?"]])
    """Texts that stand for a missing value, besides the empty text."""

    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers that are texts."""

    thousands: Literal[",", ".", " ", "'"] | None = None
    """Mark between thousands, in numbers that are texts: with a comma `1,234.5` is a number."""

    @property
    def frame(self) -> str | None:
        """The name of the frame that is the table; None if the table is in a file."""
        path = str(self.path)
        return path.removeprefix(FRAME) if path.startswith(FRAME) else None

    @property
    def kind(self) -> Format:
        """The format: the option `format`, or else the format that the ending of the file's name shows.

        A frame has the format "parquet", since its columns have types, too. Raises DataError if the name does not show
        the format, or if the files of a folder or pattern have several formats.
        """
        if self.frame is not None:
            return "parquet"
        if self.format is not None:
            return self.format
        if (kind := format_of(self.path)) is not None and not self.path.is_dir():
            return kind
        if not is_cloud(self.path) and (self.path.is_dir() or is_pattern(self.path)):
            kinds = {format_of(part_file.path) for part_file in part_files(self.path)} - {None}
            if len(kinds) > 1:
                shown = ", ".join(sorted(map(str, kinds)))
                raise DataError(
                    f"{self.path} holds files of several formats ({shown}); set `format` to that of the table"
                )
            kind = next(iter(kinds), None)
        if kind is None:
            raise DataError(
                f"{self.path}: the name does not show the format; set `format` to csv, tsv, parquet or jsonl"
            )
        return kind

    @property
    def delimiter(self) -> str:
        """The character between two fields of a line, after `::` has been replaced by one character."""
        return COLONS_AS if self.separator == COLONS else self.separator or ("\t" if self.kind == "tsv" else ",")

    @property
    def is_rewritten(self) -> bool:
        """True if the text is changed before it is parsed, because of `::` or of escaped quotes."""
        return self.separator == COLONS or self.escape is not None

    @property
    def dialect(self) -> dict[str, Any]:
        """The separator and the quotes as keyword arguments of `csv.reader`."""
        quoting = csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL
        return {"delimiter": self.delimiter, "quotechar": self.quote, "quoting": quoting}

    @property
    def parts(self) -> list[PartFile]:
        """The files that make up the table; in a folder or a pattern, only files in the table's format count.

        A file whose ending shows no format counts, too, but for one that tells about the data (README, *.md); with the
        option `format` even such a file counts.
        """
        parts = part_files(self.path)
        if len(parts) == 1:
            return parts
        kind, formats = self.kind, [format_of(part_file.path) for part_file in parts]
        of_format = [part_file for part_file, shown in zip(parts, formats, strict=True) if shown in (kind, None)]
        if self.format is not None:
            if not of_format:
                raise DataError(f"{self.path}: no file in it is {kind}, as `format` says")
            return of_format
        return [part_file for part_file in of_format if not _ABOUT.fullmatch(part_file.path.name)] or of_format

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
    """A second file whose columns are added: names for codes, or weights from elsewhere."""


def format_of(path: Path) -> Format | None:
    """Return the format that the ending of a file's name shows (without `.gz` or `.zst`); None for any other ending."""
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return FORMATS.get(path.suffix.lower())


def opened(path: Path) -> BinaryIO:
    """Open a file for reading bytes, which are decompressed if it is a .gz or .zst file.

    Raises DataError for a .zst file that cannot be decompressed, or whose text is not UTF-8.
    """
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix.lower() == ".zst":
        return io.BytesIO(_without_zstd(path))
    return path.open("rb")


def _without_zstd(path: Path) -> bytes:
    """Return the text of a .zst file. Polars decompresses it, as a table of one column with a row for each line."""
    import polars as pl

    never = "\x01"  # separates nothing in a text
    try:
        lines = pl.read_csv(
            path,
            has_header=False,
            separator=never,
            quote_char=None,
            infer_schema=False,
            glob=False,
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        if "utf-8" in reason:
            raise DataError(
                f"{path}: not utf-8; files in other encodings are read once they are decompressed (`zstd -d`)"
            ) from None
        raise DataError(f"{path} cannot be decompressed: {reason}") from None
    text = lines.to_series().fill_null("").str.join("\n").item()
    return f"{text}\n".encode()


def _content(file: File) -> bytes:
    with opened(file.path) as lines:
        return _parted(file, lines.read())


def _parted(file: File, text: bytes) -> bytes:
    """Return the text with `::` as one character and escaped quotes doubled, if the options of `file` ask for it."""
    text = text.replace(COLONS.encode(), COLONS_AS.encode()) if file.separator == COLONS else text
    return text if file.escape is None else double_quotes(text, file.encoding)


def file_states(files: Iterable[File]) -> list[tuple[str, int, int, int, int]] | None:
    """Return (path, size, two times of change, inode) for each file of these tables.

    If the content of a file changes, so does its tuple. The result is None if a change could go unnoticed. That is so
    for frames and addresses, and for a file that changed a moment ago, as it may have the same time after another
    change.
    """
    states = []
    for file in files:
        if file.frame is not None or is_cloud(file.path):
            return None
        for part_file in file.parts:
            try:
                state = part_file.path.stat()
            except OSError:
                return None
            if max(state.st_mtime, state.st_ctime) > time.time() - _SETTLED:
                return None
            states.append((str(part_file.path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))
    return states


def load(
    source: FileSource, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame] = NO_FRAMES
) -> tuple[pl.LazyFrame, Origin]:
    """Return the rows of a table in order, and the places in files from which they come.

    The table is a file, several files, or the frame in `frames` that the path of `source` names. All columns of csv and
    tsv files are text. Raises DataError if a file is missing, empty or cannot be parsed.
    """
    with naming(str(source.path)):
        frame, origin = _read(source, bad_lines, frames)
    frame = _without_missing(frame, source)
    if source.join is not None:
        with naming(str(source.path)):
            rows = frame.collect()
        frame = _joined(rows, source, source.join, bad_lines, frames).lazy()
    return frame, origin


def with_sizes(origin: Origin, file: File) -> Origin:
    """Return the origin with the number of rows of each part of the table `file`, which are counted if needed."""
    import polars as pl

    if len(origin.parts) == 1 or origin.sizes is not None:
        return origin
    sizes = []
    for path in origin.parts:
        frame, _ = _read_part(file, path, BadLines(strict=True), file.kind)
        sizes.append(frame.select(pl.len()).collect().item())
    return replace(origin, sizes=tuple(sizes))


def check_column(path: Path, name: str, available: Iterable[str]) -> None:
    """Raise DataError if the file does not have this column."""
    if name not in available:
        raise DataError(f"{path} has no column {name!r}; {did_you_mean(name, available)}")


def _joined(
    frame: pl.DataFrame, source: FileSource, join: Join, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Add the columns of the second file, `join`, to the rows of `frame`.

    A row whose key the second file does not have gets nulls; a row of the second file that repeats a key is malformed.
    """
    import polars as pl

    with naming(str(join.path)):
        read, origin = _read(join, bad_lines, frames)
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
        problem = f"{key} occurs more than once; a joined file needs one row for each key"
        for path, lines in with_sizes(origin, join).places(places):
            bad_lines.add(path, lines, problem, unit=join.unit)
        other = other.filter(~again)
    return frame.join(other, left_on=left, right_on=right, how="left", maintain_order="left")


def _without_missing(frame: pl.LazyFrame, file: File) -> pl.LazyFrame:
    """Replace the texts that stand for a missing value by null."""
    import polars as pl

    if not file.missing:
        return frame
    texts = pl.col(pl.String)
    return frame.with_columns(pl.when(~texts.str.strip_chars().is_in(file.missing)).then(texts).name.keep())


def _read(file: File, bad_lines: BadLines, frames: Mapping[str, pl.DataFrame]) -> tuple[pl.LazyFrame, Origin]:
    if file.frame is not None:
        if file.frame not in frames:
            raise DataError(f"{file.path}: no frame '{file.frame}' was handed in; {did_you_mean(file.frame, frames)}")
        return frames[file.frame].lazy(), Origin((file.path,), 1)
    if is_cloud(file.path):
        return _read_cloud(file), Origin((file.path,), file.first_row)
    parts = file.parts
    if len(parts) > 1 or parts[0].values:
        return _read_parts(file, parts, bad_lines)
    frame, rows = _read_part(file, parts[0].path, bad_lines, file.kind)
    return frame, Origin((parts[0].path,), file.first_row, rows=rows)


def _read_parts(file: File, parts: Sequence[PartFile], bad_lines: BadLines) -> tuple[pl.LazyFrame, Origin]:
    """Read the parts of a table one after the other, with a column of texts for each folder `key=value`."""
    import polars as pl

    kind, paths = file.kind, tuple(part_file.path for part_file in parts)
    if kind == "parquet":
        return _scan_parts(file, parts), Origin(paths, 1)
    is_large = sum(path.stat().st_size for path in paths) >= _KEPT_AS_TEXT
    frames, sizes, rows, columns = [], [], [], None
    for part_file in parts:
        frame, numbers = _read_part(file, part_file.path, bad_lines, kind, packed=is_large)
        names = frame.collect_schema().names()
        columns = names if columns is None else columns
        if kind != "jsonl" and sorted(names) != sorted(columns):
            raise DataError(
                f"{part_file.path} has the columns {', '.join(names)}, and {paths[0]} {', '.join(columns)}; the parts "
                "of one table have the same columns (a file without header line needs `columns`)"
            )
        if kind != "jsonl":
            frame = frame.select(columns)
        count = frame.select(pl.len()).collect().item()
        sizes.append(count if numbers is None else int(numbers.max() or 0) + 1)  # type: ignore[arg-type]
        rows.append(pl.int_range(count, eager=True) if numbers is None else numbers)
        frames.append(
            frame.with_columns(pl.lit(value, pl.String).alias(key) for key, value in part_file.values.items())
        )
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    skipped = any(len(numbers) < size for numbers, size in zip(rows, sizes, strict=True))
    whole = pl.concat([start + numbers for start, numbers in zip(starts, rows, strict=True)]) if skipped else None
    how: Any = "diagonal_relaxed" if kind == "jsonl" else "vertical"
    return pl.concat(frames, how=how), Origin(paths, file.first_row, tuple(sizes), whole)


def _scan_parts(file: File, parts: Sequence[PartFile]) -> pl.LazyFrame:
    """Scan the parts of a table in Parquet files, with the columns of the first part.

    Columns that only other parts have are ignored; a column that a part lacks is null in its rows.
    """
    import polars as pl

    schema = _widest_schema(parts)
    frames = []
    for values, group in itertools.groupby(parts, key=lambda part_file: part_file.values):
        frame = pl.scan_parquet(
            [part_file.path for part_file in group],
            schema=schema,
            glob=False,
            hive_partitioning=False,
            missing_columns="insert",
            extra_columns="ignore",
            cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast"),
        )
        frames.append(_with_values(frame, values))
    return pl.concat(frames)


def _with_values(frame: pl.LazyFrame, values: Mapping[str, str | None]) -> pl.LazyFrame:
    """Add a column for each entry of `values` (name -> text), with this text in every row."""
    import polars as pl

    return frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in values.items())


def _widest_schema(parts: Sequence[PartFile]) -> pl.Schema:
    """Return the names and types of the columns of the first part.

    A column of numbers gets the widest type that it has in any part. Raises DataError if a part cannot be read, or if a
    column has types in two parts that do not agree.
    """
    import polars as pl

    schema: pl.Schema | None = None
    for part_file in parts:
        if not part_file.path.stat().st_size:
            raise DataError(f"{part_file.path} is empty")
        try:
            types = pl.read_parquet_schema(part_file.path)
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise DataError(f"{part_file.path} cannot be read as parquet: {reason}") from None
        if schema is None:
            schema = pl.Schema(types)
        for name, dtype in types.items():
            if (before := schema.get(name, dtype)) != dtype:
                if not any(all(map(same, (before, dtype))) for same in _SAME_NUMBERS):
                    raise DataError(
                        f"{part_file.path}: column {name!r} holds {dtype}, and {before} in {parts[0].path}; the parts "
                        "of one table have the same types"
                    )
                schema[name] = max(before, dtype, key=lambda numbers: int(str(numbers).lstrip("UIntFloa")))
    assert schema is not None
    return schema


_SAME_NUMBERS: tuple[Callable[[Any], bool], ...] = (
    lambda dtype: bool(dtype.is_signed_integer()),
    lambda dtype: bool(dtype.is_unsigned_integer()),
    lambda dtype: bool(dtype.is_float()),
)
"""Tests for kinds of numbers; within one kind, a column may be of a shorter type in one part than in another."""


def _read_cloud(file: File) -> pl.LazyFrame:
    """Scan the table at an address in cloud storage, with the credentials in the environment.

    A table of text is read once, and kept compressed in memory. Raises DataError if it cannot be read.
    """
    import polars as pl

    address, kind = str(file.path), file.kind
    if format_of(file.path) is None and not is_pattern(file.path):
        address += "/"  # a folder of parts
    try:
        if kind == "parquet":
            frame = pl.scan_parquet(address)
            frame.collect_schema()
            return frame
        if kind == "jsonl":
            return _compressed(pl.scan_ndjson(address, infer_schema_length=None))
        return _read_csv(file, address)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{file.path} cannot be read as {kind}: {reason}") from None


def _read_part(
    file: File, path: Path, bad_lines: BadLines, kind: Format, *, packed: bool | None = None
) -> tuple[pl.LazyFrame, pl.Series | None]:
    """Return (rows, positions) of one file of a table; malformed lines are reported to `bad_lines`.

    The positions say where each row stands in the file, counted from 0. They are None if no lines were skipped.
    """
    import polars as pl

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty")
    if kind != "parquet":
        check_lines(path)
    file = file if file.path == path else file.model_copy(update={"path": path, "format": kind})
    try:
        if kind == "parquet":
            frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            frame.collect_schema()
            return frame, None
        if kind == "jsonl":
            return pl.read_ndjson(io.BytesIO(path.read_bytes()), infer_schema_length=None).lazy(), None
        frame = _read_csv(file, io.BytesIO(_content(file)) if file.is_rewritten else path, packed=packed)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        if not bad_lines.strict and kind != "parquet":
            return _read_sound_lines(file, bad_lines)
        reason = str(error).partition("\n")[0]
        raise DataError(first_broken_line(file) or f"{path} cannot be read as {kind}: {reason}") from None
    swallowed = swallowed_lines(frame, file.delimiter) if file.quote is not None else None
    if swallowed is None:
        return frame, None
    if not bad_lines.strict:
        return _read_sound_lines(file, bad_lines)
    row, lines = swallowed
    number = file.first_row + row + _line_breaks(frame.head(row))
    raise DataError(
        f"{path}, line {number}: a quote ({file.quote}) is not closed or not doubled, so that the field takes in "
        f"{lines} lines; if a backslash stands before quotes in texts, set `escape`, and if quotes have no meaning, "
        "`quote: null`"
    )


def _line_breaks(frame: pl.LazyFrame) -> int:
    """Return the number of line breaks within the cells of a frame of texts."""
    import polars as pl

    breaks = frame.select(pl.all().str.count_matches("\n", literal=True).sum()).collect()
    return sum(count or 0 for count in breaks.row(0))


def _read_csv(file: File, source: Path | str | io.BytesIO, *, packed: bool | None = None) -> pl.LazyFrame:
    """Read a text table from a file, from bytes in memory, or from an address in cloud storage, which is a str.

    With `packed` the columns of a file are compressed in memory; by default this is done if the file is large.
    """
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
    if isinstance(source, str):
        if file.encoding != "utf-8" or file.is_rewritten:
            raise DataError(
                f"{file.path}: text in cloud storage is read as UTF-8, with separators of one character and no `escape`"
            )
        frame = _compressed(pl.scan_csv(source, **{**how, "glob": True}))
    elif isinstance(source, Path) and file.encoding == "utf-8" and _is_packed(source, packed):
        frame = _compressed(pl.scan_csv(source, **how))
    else:
        frame = pl.read_csv(source, encoding="utf8" if file.encoding == "utf-8" else file.encoding, **how).lazy()
    if file.columns is None:
        return frame
    names = frame.collect_schema().names()
    if len(file.columns) != len(names):
        raise DataError(f"{file.path} has {len(names)} columns, but `columns` names {len(file.columns)}")
    return frame.rename(dict(zip(names, file.columns, strict=True)))


def _is_packed(path: Path, packed: bool | None) -> bool:
    return path.stat().st_size >= _KEPT_AS_TEXT if packed is None else packed


def _ends_with_cr(path: Path) -> bool:
    """Return True if the lines of a file end with carriage returns alone, as old spreadsheets wrote them."""
    if path.suffix.lower() == ".zst":
        return False
    with opened(path) as file:
        head = file.read(1 << 16)
    return b"\r" in head and b"\n" not in head


def _compressed(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return the same rows, streamed from a compressed Parquet file that is held in memory."""
    import polars as pl

    packed = io.BytesIO()
    frame.sink_parquet(packed, compression="lz4", statistics=False)
    packed.seek(0)
    return pl.scan_parquet(packed)


def _read_sound_lines(file: File, bad_lines: BadLines) -> tuple[pl.LazyFrame, pl.Series]:
    """Return the rows of the lines that can be parsed, and the position of each; report the others as malformed."""
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
    """Return a message about the first broken line of a file that polars cannot read; None if no line is broken."""
    if file.kind == "parquet":
        return None
    raw = _content(file)
    try:
        text = raw.decode(file.encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return f"{file.path}, line {line}: not {file.encoding}; set `encoding`, for example to latin-1"
    return _broken_json(file.path, text) if file.kind == "jsonl" else _broken_csv(file, text)


def what_is_wrong(file: File, line: bytes, width: int | None) -> tuple[str, int]:
    """Return (fault, number of fields) of a line.

    The fault is "" if there is none. The number is 0 for a blank line and for a faulty one of a table of text; any line
    of JSON Lines that is not blank counts as one field.

    width: the number of fields that a line must have; None accepts any
    """
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
    except RecursionError:
        return "not JSON (nested too deeply)"
    except ValueError:
        return "not JSON (a number has too many digits)"


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
