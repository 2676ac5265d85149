"""A finished run on disk: open its folder, and read its files after checking that they are unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from hybridrec.config.yaml_document import dotted, parse
from hybridrec.data.io.faults import naming
from hybridrec.data.queries import Query
from hybridrec.errors import ConfigError, DataError, StoreError
from hybridrec.evaluation.report import MapLegend, Report, figure_report
from hybridrec.evaluation.samples import Sample
from hybridrec.evaluation.summary import html
from hybridrec.paths import Key, inside, printable
from hybridrec.runs.bundle import copy_bundle
from hybridrec.runs.frame_checks import NAMES_COLUMNS, check_columns, check_per_query, check_queries, check_slates
from hybridrec.runs.manifest import MANIFEST, REPORT, checked_file, not_a_run, replace_file, run_folder
from hybridrec.stages.figures import Figure
from hybridrec.types import ITEMS, Target

if TYPE_CHECKING:
    import polars as pl


CONFIG, LOCK, PER_QUERY = "config.yaml", "lock.json", "per_query.parquet"


QUERIES, NAMES, SLATES = "queries.parquet", "names.parquet", "slates"


MAPS = "maps"
MAP_COLUMNS = {"id", "name", "count", "x", "y", "group"}
_LEGEND = "hybridrec.legend"
"""Key of the legend in the metadata of a map's file."""


RELEVANT = "relevant_"
"""Prefix of the columns of hidden ids in `queries.parquet`; the name of the target follows."""


MORE_SEGMENTS = "segment/"
"""Prefix of the columns of segments in `per_query.parquet`, for all segmenters but the first; the name follows."""


class _Lock(BaseModel, extra="allow"):
    """The keys of `lock.json` whose values are checked; other keys are read without a check.

    seed: seed of the experiment
    threads: number of workers
    fits: place of each fit of the report -> its key in the store
    sample: digest of the queries
    """

    seed: int
    threads: int
    fits: dict[str, Key]
    sample: str


_Content = TypeVar("_Content")


_REPORT, _LOCK = TypeAdapter(Report), TypeAdapter(_Lock)


@dataclass(frozen=True, slots=True)
class HeldOutQuery:
    """A test query of a run, in external ids.

    query: the visible part of the query, without its user, so that serving knows nothing else about the user
    hidden: target -> the relevant ids that the split hides from the query
    """

    fold: str
    query: Query
    hidden: dict[Target, list[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder and its report; its methods read the other files of the folder."""

    folder: Path
    report: Report
    _kept: dict[str, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """Open the folder of a run, or the one in which its `report.json` is.

        Raises DataError if it is not a run, and StoreError if the run is damaged.
        """
        path = run_folder(Path(folder))
        if path.is_file():
            raise DataError(f"{path} is a file, and a run is a folder; a bundle is for `load`, and to recommend from")
        if not any((path / name).exists() for name in (MANIFEST, REPORT)):
            raise not_a_run(path)
        return cls(path, _checked(_REPORT, checked_file(path, REPORT)))

    def file(self, name: str) -> Path:
        """Return the path of a file of the run, verified by its checksum.

        Raises StoreError if the file is missing or damaged.
        """
        return checked_file(self.folder, name)

    @property
    def lock(self) -> dict[str, Any]:
        """The provenance of the run: hashes, versions, seeds, threads, and the keys of its fits."""
        return _checked(_LOCK, self.file(LOCK)).model_dump()

    @property
    def config(self) -> str:
        """The resolved config, as YAML."""
        return _text(self.file(CONFIG))

    def bundle(self, path: Path | str, *, users: bool = True) -> Path:
        """Write a copy of the run's bundle and return its path; `load` takes it in place of the run, on any machine.

        With `users=False`, the users' ids, histories, tags, titles, features and times are left out, and queries have
        to carry them. Raises DataError if the run was only evaluated, and WriteError if the file cannot be written.
        """
        return copy_bundle(self, Path(path), users=users)

    def _repr_html_(self) -> str:
        """Return the report as HTML, which notebooks show for the run."""
        return html(self.report)

    def per_query(self) -> pl.DataFrame:
        """Return a frame with one row per query and pipeline.

        Its columns are `pipeline`, `query`, `unit`, `weight`, `segment`, `served_by` and one for each metric. The
        column `segment` has the segments of the first segmenter; each further segmenter has a column `segment/NAME`.
        """
        return check_per_query(self.folder / PER_QUERY, self._frame(PER_QUERY), self.report, MORE_SEGMENTS)

    def sample(self) -> Sample:
        """Return the sample of the run for the statistics: units, weights and segments of its queries."""
        import polars as pl

        rows = self.per_query().filter(pl.col("pipeline") == pl.col("pipeline").first())
        units = rows["unit"].rank("dense").to_numpy().astype(np.int32) - 1
        first, *others = self.report.segmenters
        return Sample(
            units,
            rows["weight"].to_numpy(),
            rows["segment"].to_numpy().astype(str),
            self.lock["sample"],
            first,
            {name: rows[f"{MORE_SEGMENTS}{name}"].to_numpy().astype(str) for name in others},
        )

    def queries(self) -> pl.DataFrame:
        """Return a frame with one row per query.

        Its columns are `fold`, `unit`, the visible `items`, entities of other kinds (`tags`, ...), `text` and
        `time` (seconds since 1970), and the hidden ids of each target (`relevant_items`, ...).
        """
        return check_queries(self.folder / QUERIES, self._frame(QUERIES), self.report, RELEVANT)

    def held_out(self, unit: str) -> list[HeldOutQuery]:
        """Return the test queries of the user `unit`, in the order of the run.

        Use them to look at examples, never to measure: the run's recommender has learned from all data, including what
        these queries hide. Raises DataError if this user has no test query.
        """
        import polars as pl

        queries = self._kept.get(QUERIES)
        if queries is None:  # it is read and checked once, for all users that are asked for
            queries = self._kept[QUERIES] = self.queries()
        frame = queries.filter(pl.col("unit") == unit)
        if not len(frame):
            some = ", ".join(queries["unit"].head(3))
            raise DataError(f"{self.folder} holds out nobody called '{unit}'; it does {some} and others")
        hidden = [name for name in frame.columns if name.startswith(RELEVANT)]
        aside = {ITEMS, *self._through_items()}
        kinds = [kind for kind in self.report.data.entities if kind in frame.columns and kind not in aside]
        return [
            HeldOutQuery(
                row["fold"],
                Query(
                    items=row[ITEMS],
                    text=row["text"],
                    time=row.get("time"),  # runs of before have none
                    entities={kind: row[kind] for kind in kinds if row[kind]},
                ),
                {name.removeprefix(RELEVANT): row[name] for name in hidden},
            )
            for row in frame.iter_rows(named=True)
        ]

    def names(self) -> pl.DataFrame:
        """Return a frame with one row per item: `id` and `name`."""
        return check_columns(self.folder / NAMES, self._frame(NAMES), NAMES_COLUMNS)

    def slates(self, pipeline: str, target: Target = "items") -> pl.DataFrame:
        """Return a frame of a pipeline's slates, with one row per recommended id.

        Its columns are `query`, `rank` (from 1), `id`, `score` and `served_by`.
        """
        file = f"{SLATES}/{pipeline}.{target}.parquet"
        return check_slates(self.folder / file, self._frame(file), self.report)

    def add_map(self, label: str, frame: pl.DataFrame, legend: MapLegend, figures: Sequence[Figure] = ()) -> Path:
        """Write a map of items into the folder of the run, for its page, and return the path.

        label: the component whose vectors the map shows
        frame: one row per item, the best-known first, with `id`, `name`, `count`, `x`, `y`, and `group`, which counts
            from 0 and is -1 for an item without a group
        figures: figures that the page shows below the map

        Raises StoreError for a label that cannot be the name of a file.
        """
        file = inside(self.folder / MAPS, f"{label}.parquet").name
        legend = legend.model_copy(update={"figures": list(map(figure_report, figures))})
        metadata = {_LEGEND: legend.model_dump_json()}
        return replace_file(self.folder, f"{MAPS}/{file}", lambda path: frame.write_parquet(path, metadata=metadata))

    def item_map(self, label: str) -> tuple[pl.DataFrame, MapLegend]:
        """Return (frame, legend) of the map that was added under a label.

        Raises StoreError if the run has no such map, or if the map is damaged.
        """
        import polars as pl

        file = self.file(f"{MAPS}/{inside(self.folder / MAPS, f'{label}.parquet').name}")
        frame = read_frame(file)
        try:
            with naming(str(file), StoreError):
                legend = MapLegend.model_validate_json(pl.read_parquet_metadata(file).get(_LEGEND, ""))
        except ValidationError:
            raise StoreError(f"{file} is not a map of this version: draw it again") from None
        if MAP_COLUMNS - set(frame.columns) or not frame["group"].is_between(-1, len(legend.groups) - 1).all():
            raise StoreError(f"{file} cannot be read: its items do not fit its legend")
        return frame, legend

    @property
    def maps(self) -> list[str]:
        """The sorted labels of the maps of items that were added to the run."""
        return sorted(path.stem for path in (self.folder / MAPS).glob("*.parquet"))

    def _through_items(self) -> list[str]:
        """Return the kinds whose entities users have through their items, so that queries need not state them."""
        data = read_config(self).get("data")
        kinds = data.get("through_items", []) if isinstance(data, dict) else None
        if not isinstance(kinds, list):
            raise StoreError(f"{self.folder / CONFIG} cannot be read: it does not say what the data are")
        return [str(kind) for kind in kinds]

    def _frame(self, file: str) -> pl.DataFrame:
        return read_frame(self.file(file))


def read_config(run: Run) -> dict[str, Any]:
    """Return the resolved config of a run as values; raises StoreError if it is not what a config may be."""
    try:
        return dict(parse(run.config, CONFIG).content)
    except ConfigError as error:
        raise StoreError(f"{run.folder / CONFIG} cannot be read: {error}") from None


def read_frame(file: Path) -> pl.DataFrame:
    """Read a Parquet file of a run; raises StoreError if it is damaged or missing."""
    import polars as pl

    if not file.is_file():
        raise StoreError(f"{file} cannot be read: it is missing, or not a file")
    try:
        # The path is not a glob here: in a folder `g[1]` it would match the files of `g1`.
        with naming(str(file), StoreError):
            return pl.read_parquet(file, glob=False)
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error}") from None


def _checked(kind: TypeAdapter[_Content], file: Path) -> _Content:
    """Read a JSON file of a run and validate it as `kind`.

    Raises StoreError if that fails; the message names the file and the first invalid key.
    """
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None
