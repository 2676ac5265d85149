"""The files that make up one table: a single file, the parts in a folder or of a pattern, an object in the cloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic_core import PydanticCustomError

from hybridrec.errors import DataError
from hybridrec.secret import MISTAKE, holds_password

if TYPE_CHECKING:
    import polars as pl

_CLOUD = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):/+(?=[^/])")
_PATTERN = re.compile(r"[*?[]")
_NUMBERS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class CloudPath(type(Path())):  # type: ignore[misc]  # the class of paths of this system
    """The address of an object in cloud storage, such as `s3://bucket/plays.parquet`; as text it has both slashes."""

    def __str__(self) -> str:
        """Return the address with two slashes after the scheme; a path keeps only one of them."""
        return _CLOUD.sub(r"\1://", super().__str__().replace("\\", "/"))


def is_cloud(path: object) -> bool:
    """Return True for an address with a scheme, such as `s3://bucket/plays.parquet`, also if it has lost a slash."""
    return bool(_CLOUD.match(str(path)))


def cloud_path(path: Path | str) -> CloudPath:
    """Return an address as a path; raises PydanticCustomError if it has credentials, since reports show addresses."""
    address = CloudPath(path)
    if holds_password(str(address)):
        raise PydanticCustomError(
            MISTAKE,
            "credentials are not written into an address: set those of the storage in the environment "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for example)",
        )
    return address


def is_pattern(path: Path) -> bool:
    """Return True for a pattern of names (`plays/*.parquet`) that is not the name of a file or folder."""
    return bool(_PATTERN.search(str(path))) and not path.exists()


@dataclass(frozen=True, slots=True)
class PartFile:
    """One of the files of a table.

    values: column -> text, as the names of the file's folders state them (`year=2024/`); None for a missing value
    """

    path: Path
    values: Mapping[str, str | None] = field(default_factory=dict)


def part_files(path: Path) -> list[PartFile]:
    """Return the files of the table at a path, in ascending order of their paths; rows are read in this order.

    A folder holds parts at any depth; files and folders whose names begin with a dot or an underscore are not data.
    Raises DataError if there are no files, if their folders state values of different columns, or if the folder is a
    Delta or Iceberg table, whose files also hold deleted rows.
    """
    if is_cloud(path):
        return [PartFile(path)]
    if path.is_dir():
        root, files = path, _inside(path)
    elif is_pattern(path):
        parts = path.parts
        prefixes = [Path(*parts[:count]) for count in range(1, len(parts) + 1)]
        place = next(number for number, prefix in enumerate(prefixes) if is_pattern(prefix))
        root = Path(*parts[:place])
        matches = sorted(root.glob("/".join(parts[place:])))
        files = [file for match in matches for file in (_inside(match) if match.is_dir() else [match])]
        if not files:
            raise DataError(f"{path}: no file matches this pattern")
    else:
        return [PartFile(path)]
    if not files:
        raise DataError(f"{path}: the folder holds no files of data")
    made = [PartFile(file, _values(file.relative_to(root))) for file in dict.fromkeys(files)]
    for part_file in made:
        if part_file.values.keys() != made[0].values.keys():
            raise DataError(
                f"{path}: folders of {part_file.path} state {_listed(part_file.values)}, and those of {made[0].path} "
                f"{_listed(made[0].values)}; the parts of one table have the same partitions"
            )
    return made


def _inside(folder: Path) -> list[Path]:
    """Return the files of data in a folder, at any depth; raises DataError for a Delta or Iceberg table."""
    if (folder / "_delta_log").is_dir() or any(folder.glob("metadata/*.metadata.json")):
        raise DataError(
            f"{folder} is a Delta or Iceberg table, whose files hold rows that were deleted: export it to Parquet, or "
            "hand in a frame that polars.scan_delta or scan_iceberg reads"
        )
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file for file in files if not any(name.startswith((".", "_")) for name in file.relative_to(folder).parts)
    )


def tables_among(files: Sequence[Path]) -> list[Path]:
    """Return the paths of the tables that files make up, in the order of the first file of each.

    Files of one folder whose names differ in numbers only are the parts of one table; its path is a pattern that
    matches these files and no others.
    """
    groups: dict[Path, list[Path]] = {}
    for file in files:
        groups.setdefault(file.with_name(_NUMBERS.sub("*", file.name)), []).append(file)
    tables = []
    for pattern, group in groups.items():
        alike = len(group) > 1 and sorted(pattern.parent.glob(pattern.name)) == sorted(group)
        tables += [pattern] if alike else group
    return tables


def tables_inside(folder: Path, is_table: Callable[[Path], bool]) -> list[Path]:
    """Return the paths of the tables in a folder; `is_table` says if a file is one.

    If the folder holds the parts of one table, its own path is the only one. Otherwise the result has the tables that
    its files make up, and its subfolders that hold the parts of one table each. Folders below these are not looked at.
    """
    if _is_one_table(folder, is_table):
        return [folder]
    files, folders = _entries(folder)
    return [*tables_among([*filter(is_table, files)]), *(below for below in folders if _is_one_table(below, is_table))]


def _is_one_table(folder: Path, is_table: Callable[[Path], bool]) -> bool:
    """Return True if a folder holds the parts of one table: partitions, numbered files, or a file marked as written."""
    files, folders = _entries(folder)
    tables = tables_among([*filter(is_table, files)])
    others = (file for below in folders for file in _entries(below)[0])
    marked = (folder / "_SUCCESS").exists() and not any(map(is_table, others))
    return any("=" in below.name for below in folders) or (len(tables) == 1 and (marked or is_pattern(tables[0])))


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return (files, folders) in a folder, sorted, without those whose names begin with a dot or an underscore."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith((".", "_"))]
    return [entry for entry in entries if entry.is_file()], [entry for entry in entries if entry.is_dir()]


def _values(relative: Path) -> dict[str, str | None]:
    pairs = (name.partition("=") for name in relative.parent.parts if "=" in name)
    return {unquote(key): None if value == _NO_VALUE else unquote(value) for key, _, value in pairs}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


@dataclass(frozen=True, slots=True)
class Origin:
    """The places in files from which the rows of a table come.

    first_row: the line (or row) of each file that holds its first row of data, counted from 1
    sizes: the number of rows of each part; None if there is only one part, or if they are not counted yet
    rows: the position of each row among the rows of all parts, from 0; None if no rows were left out
    """

    parts: tuple[Path, ...]
    first_row: int
    sizes: tuple[int, ...] | None = None
    rows: pl.Series | None = None

    def places(self, rows: pl.Series) -> Iterator[tuple[Path, list[int]]]:
        """Yield (file, numbers of lines) for each file that holds some of the given rows.

        `rows` are numbers of rows of the table, from 0; lines (in Parquet rows) are counted from 1 in each file.
        """
        numbers = rows if self.rows is None else self.rows.gather(rows)
        if len(self.parts) == 1:
            yield self.parts[0], (self.first_row + numbers).to_list()
            return
        assert self.sizes is not None
        start = 0
        for path, size in zip(self.parts, self.sizes, strict=True):
            inside = numbers.filter((numbers >= start) & (numbers < start + size))
            if len(inside):
                yield path, (self.first_row + inside - start).to_list()
            start += size
