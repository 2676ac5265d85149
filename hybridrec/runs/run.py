"""A finished run on disk."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hybridrec.config.yaml_source import dotted
from hybridrec.errors import DataError, StoreError
from hybridrec.evaluation.report import Report
from hybridrec.evaluation.samples import Sample
from hybridrec.evaluation.summary import html
from hybridrec.paths import Key, inside, printable
from hybridrec.types import Target

if TYPE_CHECKING:
    import polars as pl


CONFIG, LOCK, REPORT, PER_QUERY = "config.yaml", "lock.json", "report.json", "per_query.parquet"


QUERIES, NAMES, SLATES = "queries.parquet", "names.parquet", "slates"


MAPS = "maps"


SERVING = "serving.json"


@dataclass(frozen=True, slots=True)
class Serving:
    """What a run recommends from.

    data: fingerprint of the data, by which the store has it
    fits: place -> key of all fits (`Part.place`)
    learned_on: fingerprint of the data that its re-rankers learned on; another one once the run was refreshed
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    data: Key
    fits: Mapping[str, Key]
    learned_on: Key


class _Lock(BaseModel, extra="allow"):
    """What is read of lock.json: the fits of the report and of what serves, place -> key; the rest stays as it is."""

    fits: dict[str, Key]
    sample: str
    serving: dict[str, Key] | None


_Content = TypeVar("_Content")


_REPORT, _LOCK, _SERVING = TypeAdapter(Report), TypeAdapter(_Lock), TypeAdapter(Serving)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder and its report."""

    folder: Path
    report: Report

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """A run that was written earlier; raises DataError if there is none, StoreError if it is damaged."""
        path = Path(folder)
        if not (path / REPORT).exists():
            raise DataError(f"{path} is no run: it has no {REPORT}{_of_this_name(path)}")
        return cls(path, _checked(_REPORT, path / REPORT))

    @property
    def lock(self) -> dict[str, Any]:
        """What the run was made with: hashes, versions, seeds, threads, and the fits that serve."""
        return _checked(_LOCK, self.folder / LOCK).model_dump()

    @property
    def serving(self) -> Serving:
        """What it recommends from since it was refreshed, or made; raises DataError if it was only evaluated."""
        file = self.folder / SERVING
        if file.exists():
            return _checked(_SERVING, file)
        fits = self.lock["serving"]
        if fits is None:
            raise DataError(
                f"{self.folder} was only evaluated: set `refit: all` in its config and run it again to serve it"
            )
        return Serving(self.report.data.fingerprint, fits, self.report.data.fingerprint)

    @property
    def config(self) -> str:
        """The resolved config, as YAML."""
        try:
            return (self.folder / CONFIG).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.folder / CONFIG} cannot be read: {error}") from None

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return html(self.report)

    def per_query(self) -> pl.DataFrame:
        """One row per query and pipeline: unit, weight, segment, rung and every metric."""
        return self._frame(PER_QUERY)

    def sample(self) -> Sample:
        """The queries as statistics see them."""
        import polars as pl

        rows = self.per_query().filter(pl.col("pipeline") == pl.col("pipeline").first())
        units = rows["unit"].rank("dense").to_numpy().astype(np.int32) - 1
        return Sample(units, rows["weight"].to_numpy(), rows["segment"].to_numpy().astype(str), self.lock["sample"])

    def queries(self) -> pl.DataFrame:
        """One row per query: fold, unit, what was known (items, tags, text) and what was hidden (relevant_...)."""
        return self._frame(QUERIES)

    def names(self) -> pl.DataFrame:
        """One row per item: id and name."""
        return self._frame(NAMES)

    def slates(self, pipeline: str, target: Target = "items") -> pl.DataFrame:
        """One row per recommendation of a pipeline: query, rank (from 1), id, score, rung."""
        return read_frame(inside(self.folder / SLATES, f"{pipeline}.{target}.parquet"))

    def _frame(self, file: str) -> pl.DataFrame:
        return read_frame(self.folder / file)


def read_frame(file: Path) -> pl.DataFrame:
    """Read a Parquet file of a run, and that file alone; raises StoreError if it is damaged or missing."""
    import polars as pl

    if not file.is_file():
        raise StoreError(f"{file} cannot be read: it is missing, or not a file")
    try:
        # A path is no pattern here: in a folder `g[1]` it would name the files of `g1`.
        return pl.read_parquet(file, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from None


def _checked(kind: TypeAdapter[_Content], file: Path) -> _Content:
    """Read a JSON file of a run; raises StoreError that names the file and the first key that is not as it must be."""
    if not file.is_file():
        raise StoreError(f"{file} cannot be read: it is missing, or not a file")
    try:
        return kind.validate_json(file.read_bytes())
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        keys = [key if isinstance(key, int) else printable(key).strip("'") for key in mistake["loc"] if key != "[key]"]
        place = f"{dotted(tuple(keys))}: " if keys else ""
        reason = " ".join(mistake["msg"].split())
        raise StoreError(f"{file} cannot be read: {place}{reason}") from None


def _of_this_name(folder: Path) -> str:
    """The end of an error about a folder that is no run: the newest run whose name it is, as folders bear a time."""
    runs = [report.parent for report in folder.parent.glob(f"{glob.escape(folder.name)}-[0-9]*/{REPORT}")]
    return f"; did you mean {max(runs)}?" if runs else ""
