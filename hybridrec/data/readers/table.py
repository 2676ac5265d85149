"""Reader `table`: a user's own CSV, TSV, Parquet or JSON Lines files, by a mapping of their columns."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from hybridrec.data.builder import Tables, assemble, assemble_with
from hybridrec.data.dataset import Dataset
from hybridrec.data.encoding import TAGS
from hybridrec.data.features import FeatureType
from hybridrec.data.fingerprint import json_digest
from hybridrec.data.io.bad_lines import BadLineOptions, BadLines
from hybridrec.data.io.columns import ColumnTable, S, TimeUnit
from hybridrec.data.io.coverage import INTERACTIONS, coverage
from hybridrec.data.io.files import File, FileSource, file_states
from hybridrec.data.io.item_vectors import ItemVectors
from hybridrec.data.io.part_files import is_cloud
from hybridrec.data.partitions import Outline, histories, outline
from hybridrec.data.readers import row_blocks
from hybridrec.data.readers.base import Reader
from hybridrec.data.readers.row_blocks import FileBlocks
from hybridrec.data.transforms import WeightOptions
from hybridrec.errors import DataError, did_you_mean
from hybridrec.paths import KindName
from hybridrec.plugin import Options
from hybridrec.types import ITEMS, USERS, Floats

if TYPE_CHECKING:
    import polars as pl


class TableOptions(BadLineOptions):
    """Files to read, and the roles of their columns."""

    interactions: Interactions = Field(examples=[{"path": "plays.csv", "user": "user", "item": "song"}])
    """The file of interactions, the only one that is required."""

    events: dict[str, Interactions] = Field(
        {}, examples=[{"view": {"path": "views.csv", "user": "user", "item": "song"}}]
    )
    """More files of interactions, by kind, with the same roles of columns as `interactions`."""

    kinds: dict[str, float] = Field({}, examples=[{"view": 1, "cart": 3, "buy": 5}])
    """Factors on the weights of interactions by kind; 0 leaves a kind out, and a negative one makes it a dislike."""

    asked: tuple[str, ...] = Field((), examples=[["buy"]])
    """Kinds that queries ask for; interactions of other kinds only inform. By default all kinds are asked for."""

    users: Users | None = None
    """Descriptions of users."""

    items: Items | None = None
    """Descriptions of items."""

    entities: dict[KindName, Described] = Field({}, examples=[{"artists": {"path": "artists.csv", "id": "artist"}}])
    """Descriptions of entities of other kinds, by kind."""

    user_has: dict[KindName, UserHas] = Field({})
    """Entities of users, one per row: {tags: {path: tags.csv, user: user, id: tag}}."""

    item_has: dict[KindName, ItemHas] = Field({})
    """Entities of items, one per row: {artists: {path: songs.csv, item: song, id: artist}}."""

    assignments: dict[KindName, Assignments] = Field({})
    """Entities that users gave to items, one per row: {tags: {path: tagged.csv, user: user, item: song, id: tag}}."""

    impressions: Impressions | None = None
    """Items that were shown to users and not taken."""

    item_vectors: ItemVectors | None = None
    """Dense vectors that describe the content of items."""

    weight: WeightOptions = WeightOptions()
    """Transformation of the weight column to the weights of interactions."""


class TableReader(Reader):
    """Reader of CSV, TSV, Parquet and JSON Lines files; the options map their columns to roles.

    The users and items of the dataset are all that occur in the files `interactions`, `users` and `items`. Ids of any
    type are read as text. An id that is written differently in two files counts as two ids.
    """

    name: ClassVar[str] = "table"
    Config: ClassVar[type[TableOptions]] = TableOptions
    config: TableOptions
    coverage: Sequence[str] = ()
    """Sentences about side files that match few of the interactions just read."""

    def read(self) -> Dataset:
        """Read all data; raises DataError with file, line and column if something is wrong."""
        config = self.config
        self.bad_lines = BadLines(strict=config.strict)
        frames = self.tables()
        sources: dict[str, Users | Items | Described | None] = {USERS: config.users, ITEMS: config.items}
        described = {
            kind: self._open(source, frames)
            for kind, source in (sources | config.entities).items()
            if source is not None
        }
        users, items = described.get(USERS), described.get(ITEMS)
        assigned = {kind: self._open(source, frames) for kind, source in config.assignments.items()}
        shown = config.impressions
        files = self.sources()
        kinds: Counter[str] = Counter()
        blocks = self._blocks(files, frames, kinds)
        outlined = None if blocks is None else _outlined(config, files[0], blocks, kinds)
        tables = Tables(
            interactions=_events(config, files, [_interactions(self._open(file, frames)) for file in files])
            if outlined is None
            else outlined.ids,
            entities={kind: _entities(file) for kind, file in described.items()},
            user_has=self._has("user", users, config.user_has, frames),
            item_has=self._has("item", items, config.item_has, frames),
            assignments={kind: _assignments(file) for kind, file in assigned.items()},
            labels={kind: _labels(file) for kind, file in described.items()},
            features={kind: _features(file) for kind, file in described.items()},
            vectors={ITEMS: _vectors(config.item_vectors, items, self.bad_lines, frames)},
            context=tuple(config.interactions.context),
            impressions=None if shown is None else _impressions(self._open(shown, frames)),
        )
        self.coverage = list(coverage(tables, _paths(config), strict=config.strict))
        if outlined is None:
            return assemble(tables, config.weight)
        return assemble_with(tables, partial(histories, outlined, config.weight))

    def notes(self) -> list[str]:
        """Return notes on the data just read: lines that were skipped, and side files that match few interactions."""
        return [*super().notes(), *self.coverage]

    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Return the tables in memory, by name: those to which paths refer by `frame:NAME`.

        By default they are the frames that were handed in. A reader of another source derives from this class, and adds
        its own tables to the frames.
        """
        return self.frames

    def sources(self) -> list[Interactions]:
        """Return the options of the tables of interactions, the main one first: by default `interactions` and `events`.

        A reader that adds interactions of its own returns their options, too; all of them have the same roles.
        """
        config = self.config
        return [config.interactions, *(file.of_kind(kind) for kind, file in config.events.items())]

    def files(self) -> Iterator[Options]:
        """Yield the options of every table in the config, also of joined tables: `path` and the roles of columns."""
        return iter(_files(self.config))

    def fingerprint(self) -> str | None:
        """Return a digest of the paths, sizes and times of change of all files.

        The result is None if a table is a frame or at an address, and if the files are so small that they are read
        faster than their data is stored.
        """
        states = file_states(_files(self.config))
        if states is None or sum(size for _, size, *_ in states) < WORTH_STORING:
            return None
        return json_digest(states)

    def _blocks(
        self, files: Sequence[Interactions], frames: Mapping[str, pl.DataFrame], kinds: Counter[str]
    ) -> FileBlocks[Interactions] | None:
        """Return the interactions in blocks; None if there are few, or if all have to be in memory at once.

        The latter is so for several files, text files, joined columns, kinds that are asked for, columns of the
        request, and a half-life. `kinds` gets the number of interactions of each kind while the blocks are read.
        """
        config, main = self.config, files[0]
        of_all = len(files) > 1 or main.join or config.asked or main.context or config.weight.half_life is not None
        if of_all or main.frame is not None or is_cloud(main.path) or main.kind != "parquet":
            return None
        assert self.bad_lines is not None
        blocks = FileBlocks(
            lambda bad_lines: ColumnTable.of(main, bad_lines, frames),
            (main.user, main.item),
            lambda block: _weighed(config, _counted(kinds, _interactions(block))),
            self.bad_lines,
        )
        return blocks if blocks.rows >= row_blocks.LONG else None

    def _open(self, source: S, frames: Mapping[str, pl.DataFrame]) -> ColumnTable[S]:
        assert self.bad_lines is not None
        return ColumnTable.of(source, self.bad_lines, frames)

    def _has(
        self,
        owner: Literal["user", "item"],
        described: ColumnTable[Described] | None,
        sources: Mapping[str, Carried],
        frames: Mapping[str, pl.DataFrame],
    ) -> dict[str, pl.DataFrame]:
        """Return the entities that users or items have: for each kind the frame that `_pairs` returns.

        They come from columns of the file that describes the users or items, and from files of pairs (`sources`).
        """
        has = {} if described is None else described.source.entity_columns
        kinds = dict.fromkeys([*has, *sources])
        return {
            kind: _pairs(
                owner, described, has.get(kind, {}), None if kind not in sources else self._open(sources[kind], frames)
            )
            for kind in kinds
        }


WORTH_STORING = 1 << 24
"""The size of all files in bytes from which it is worth storing their data."""


def _files(options: object) -> Iterator[File]:
    """Yield every `File` in a config: `options` itself if it is one, and files inside of it, at any depth."""
    if isinstance(options, File):
        yield options
    inner = options.values() if isinstance(options, Mapping) else ()
    for value in inner if not isinstance(options, BaseModel) else (value for _, value in options):
        yield from _files(value)


def _paths(config: TableOptions) -> dict[tuple[str, str], str]:
    """Return the files of interactions and of the side tables: (table, kind) -> name of the file.

    A file of pairs is left out if columns of another file give entities of the same kind.
    """
    tables: dict[tuple[str, str], FileSource | None] = {
        INTERACTIONS: config.interactions,
        ("entities", USERS): config.users,
        ("entities", ITEMS): config.items,
        ("impressions", ""): config.impressions,
    }
    tables |= {("assignments", kind): table for kind, table in config.assignments.items()}
    # Where columns of another file give entities of the same kind, the rows of both are one table.
    for name, carried, owner in (
        ("user_has", config.user_has, config.users),
        ("item_has", config.item_has, config.items),
    ):
        among_columns = {} if owner is None else owner.entity_columns
        tables |= {(name, kind): table for kind, table in carried.items() if kind not in among_columns}
    return {place: Path(table.path).name for place, table in tables.items() if table is not None}


def _interactions(file: ColumnTable[Interactions]) -> pl.DataFrame:
    """Return a frame with `user`, `item` and the other columns that the options name, without malformed rows."""
    import polars as pl

    options = file.source
    file = file.unrolled(options.item)
    columns = _interaction_columns(file)
    if options.weight is not None:
        columns["weight"] = file.weights(options.weight)
    if options.position is not None:
        columns["position"] = file.numbers(options.position)
    if options.group is not None:
        columns["group"] = file.integers(options.group)
    if options.gain is not None:
        columns["gain"] = file.numbers(options.gain)
    context = {name: _typed(file, name, kind) for name, kind in options.context.items()}
    if clash := sorted(
        context.keys() & {"user", "item", "time", "weight", "position", "group", "gain", "kind", "target"}
    ):
        raise DataError(f"{options.path}: the column {clash[0]!r} cannot be a column of the request; rename it")
    if options.event is not None:
        columns["kind"] = file.texts([options.event])
    frame = pl.DataFrame(columns | context).drop_nulls(list(columns))
    return frame.with_columns(kind=pl.lit(options.event_kind)) if options.event_kind is not None else frame


def _events(config: TableOptions, sources: Sequence[Interactions], frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the interactions of all files in one frame, with weights multiplied by the factors of their kinds.

    It has a column `target` if some kinds are not asked for. Rows of weight 0 are left out, unless they are dislikes.
    Raises DataError if the files have different columns, or kinds that do not fit the options.
    """
    import polars as pl

    names = [Path(file.path).name for file in sources]
    if len(sources) > 1 and config.interactions.event is None and config.interactions.event_kind is None:
        raise DataError(
            f"{names[0]}: with `events` its rows need a kind, too: name their column with `event`, or set `event_kind`"
        )
    for name, frame in zip(names, frames, strict=True):
        if set(frame.columns) - {"kind"} != set(frames[0].columns) - {"kind"}:
            has, had = (", ".join(sorted(set(each.columns) - {"kind"})) for each in (frame, frames[0]))
            raise DataError(f"{name} has the roles {has}, and {names[0]} {had}; all files of events have the same")
    frame = pl.concat([each.select(sorted(each.columns)) for each in _alike(frames)], how="vertical_relaxed")
    main = names[0]
    if config.kinds or config.asked:
        kinds: Counter[str] = Counter()
        _check_kinds(config, main, kinds if "kind" in _counted(kinds, frame).columns else None)
        if config.asked:
            frame = frame.with_columns(target=pl.col("kind").is_in(list(config.asked)))
    frame = _weighed(config, frame)
    _require_rows(config, frame)
    return frame


def _counted(kinds: Counter[str], frame: pl.DataFrame) -> pl.DataFrame:
    """Add the numbers of interactions of each kind to `kinds`; return the frame."""
    if "kind" in frame.columns:
        kinds.update(dict(frame["kind"].value_counts().iter_rows()))
    return frame


def _check_kinds(config: TableOptions, main: str, kinds: Mapping[str, int] | None) -> None:
    """Raise DataError if the options do not fit the kinds of all interactions.

    main: name of the main file
    kinds: the number of interactions of each kind; None if interactions have no kinds
    """
    if kinds is None:
        raise DataError(
            f"{main}: `kinds` and `asked` need the kind of each row: name its column with `event`, or `event_kind`"
        )
    counts = dict(sorted(kinds.items()))
    for name in (*config.kinds, *config.asked):
        if name not in counts:
            raise DataError(f"no interaction is of the kind '{name}'; {did_you_mean(name, map(str, counts))}")
    if unlisted := [name for name in counts if config.kinds and name not in config.kinds]:
        raise DataError(
            f"{counts[unlisted[0]]:,} interactions are of the kind '{unlisted[0]}', which `kinds` does not list; "
            "a weight of 0 there leaves a kind out"
        )
    if config.kinds and config.weight.dislike is not None and {*config.kinds.values()} - {0, 1}:
        raise DataError(
            f"{main}: `weight.dislike` compares the weights in the data, and `kinds` would change them: give "
            "kinds a factor of 0 or 1, or leave `dislike` out"
        )


def _weighed(config: TableOptions, frame: pl.DataFrame) -> pl.DataFrame:
    """Return interactions with weights multiplied by the factors of their kinds, and without their kinds.

    Rows of weight 0 are left out, unless they are dislikes. So are rows of kinds that `kinds` does not list, which
    `_check_kinds` reports.
    """
    import polars as pl

    if config.kinds and "kind" in frame.columns:
        factor = pl.col("kind").replace_strict(config.kinds, default=0.0, return_dtype=pl.Float32)
        weight = pl.col("weight") if "weight" in frame.columns else pl.lit(1.0, pl.Float32)
        # A kind of factor 0 is left out here: later its weight of 0 would be a dislike.
        frame = frame.filter(factor != 0).with_columns(weight=weight * factor)
    return _without_zeros(config, frame.drop("kind", strict=False))


def _outlined(
    config: TableOptions, main: Interactions, blocks: FileBlocks[Interactions], kinds: Counter[str]
) -> Outline:
    """Read interactions in blocks for the first time.

    main: options of their table
    kinds: gets the number of interactions of each kind

    Raises DataError if there are no interactions, or if the options do not fit their kinds.
    """
    outlined = outline(blocks)
    if config.kinds:
        has_kinds = main.event is not None or main.event_kind is not None
        _check_kinds(config, Path(main.path).name, kinds if has_kinds else None)
    _require_rows(config, outlined.ids)
    return outlined


def _without_zeros(config: TableOptions, frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out rows of weight 0, unless they are dislikes."""
    import polars as pl

    return frame.filter(pl.col("weight") != 0) if "weight" in frame.columns and config.weight.dislike is None else frame


def _require_rows(config: TableOptions, frame: pl.DataFrame) -> None:
    if not len(frame):
        raise DataError(f"{config.interactions.path} has no interactions: it has no rows, or none of a weight above 0")


def _alike(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return frames that can be concatenated: the ids of several frames become texts, as their categories differ."""
    import polars as pl

    if len(frames) == 1:
        return list(frames)
    return [frame.with_columns(pl.col("user", "item").cast(pl.String)) for frame in frames]


def _interaction_columns(file: ColumnTable[Interactions] | ColumnTable[Impressions]) -> dict[str, pl.Series]:
    """Read the users, the items and, if the options name a column for it, the time of each row: name -> column.

    The file has one item in each row (see `ColumnTable.unrolled`); the names are `user`, `item` and `time`.
    """
    options = file.source
    columns = {"user": file.coded_ids(options.user), "item": file.coded_ids(options.item)}
    if options.time is not None:
        columns["time"] = file.times(options.time, options.time_unit, options.time_format)
    return columns


def _entities(file: ColumnTable[Described]) -> pl.DataFrame:
    """Return a frame with `id` from a file of descriptions, and `text` and `time` if its options name such columns."""
    import polars as pl

    columns = {"id": file.ids(file.source.id).cast(pl.String)}
    if file.source.texts:
        columns["text"] = file.texts(file.source.texts)
    if file.source.time is not None:
        columns["time"] = _dates(file, file.source.time)
    return pl.DataFrame(columns).drop_nulls("id")


def _pairs(
    owner: str,
    described: ColumnTable[Described] | None,
    columns: Mapping[str, str],
    file: ColumnTable[Carried] | None,
) -> pl.DataFrame:
    """Return the entities of one kind that users or items have: a frame with the columns `owner`, `id` and `weight`.

    The first column is called "user" or "item", as `owner` says. The entities come from `columns` (name -> prefix of
    the ids) of the file `described`, which describes the users or items, and from `file`, a file of pairs.
    """
    import polars as pl

    parts = [pl.DataFrame(schema={owner: pl.String, "id": pl.String, "weight": pl.Float32})]
    if described is not None and columns:
        labels = described.labels(described.source.id, columns, described.source.value_separator)
        parts.append(labels.select(pl.col("owner").alias(owner), id="label", weight=pl.lit(1.0, pl.Float32)))
    if file is not None:
        frame = pl.DataFrame({owner: file.ids(file.source.owner), "id": file.ids(file.source.id)})
        frame = frame.cast(pl.String)
        weight = file.source.weight
        parts.append(frame.with_columns(weight=pl.lit(1.0, pl.Float32) if weight is None else file.weights(weight)))
    return pl.concat(parts).drop_nulls()


def _assignments(file: ColumnTable[Assignments]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({name: file.ids(getattr(file.source, name)) for name in ("user", "item", "id")}).drop_nulls()


def _impressions(file: ColumnTable[Impressions]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(_interaction_columns(file.unrolled(file.source.item))).drop_nulls()


def _labels(file: ColumnTable[Described]) -> pl.DataFrame | None:
    """Return a frame with `id` and `feature`, with a row "column:value" for each value in a column of categories.

    None if the file has no such columns.
    """
    source = file.source
    names = {name: name for name, kind in source.feature_types.items() if kind == "category"}
    if not names:
        return None
    return file.labels(source.id, names, source.value_separator).rename({"owner": "id", "label": "feature"})


def _features(file: ColumnTable[Described]) -> pl.DataFrame | None:
    """Return a frame with `id` and all columns of numbers, flags and times; None if the file has no such columns."""
    import polars as pl

    source = file.source
    types = {name: kind for name, kind in source.feature_types.items() if kind != "category"}
    if not types:
        return None
    columns = {"id": file.ids(source.id).cast(pl.String)}
    for name, kind in types.items():
        columns[name] = _typed(file, name, kind)
    return pl.DataFrame(columns).drop_nulls("id")


def _typed(file: ColumnTable[Any], name: str, kind: FeatureType) -> pl.Series:
    """Return a column as numbers, booleans, times or texts; null where it is missing."""
    import polars as pl

    if kind == "number":
        return file.numbers(name, required=False)
    if kind == "flag":
        return file.flags(name)
    if kind == "time":
        return pl.from_epoch(_dates(file, name) * 1e6, "us")
    return file.texts([name])


def _dates(file: ColumnTable[Any], name: str) -> pl.Series:
    """Return a column of times, or of years, as seconds since 1970; null where it is missing."""
    form = file.source.time_format
    return file.times(name, file.source.time_unit, form, years=form is None, required=False)


def _vectors(
    options: ItemVectors | None,
    items: ColumnTable[Described] | None,
    bad_lines: BadLines,
    frames: Mapping[str, pl.DataFrame],
) -> tuple[pl.Series, Floats] | None:
    if options is None:
        return None
    if options.path.suffix != ".npy":
        return options.read(bad_lines, frames)
    if items is None:
        raise DataError(f"{options.path}: a .npy file needs `items`, whose rows name the item of each vector")
    return options.read(bad_lines, frames, items.ids(items.source.id))


class Interactions(FileSource):
    """Interactions: one row for each time a user played, bought or rated an item, or put it on a list."""

    user: str
    """Column of the user, playlist or session; any type, read as text."""

    item: str
    """Column of the item; any type, read as text. Repeated pairs are kept as repeats.

    In a list column (Parquet, JSON Lines) each entry is an interaction: a row can be a whole playlist.
    """

    time: str | None = None
    """Column of the time: a number, or an ISO 8601 date or datetime (without a zone: UTC)."""

    time_unit: TimeUnit = "s"
    """Unit of the numbers in the time column, which count from 1970 on."""

    time_format: str | None = None
    """Form of the texts in the time column, in the terms of strptime: `%d.%m.%Y %H:%M`; by default ISO 8601."""

    weight: str | None = None
    """Column of the rating or count; not negative. Rows of weight 0 are not interactions and are dropped."""

    position: str | None = None
    """Column of the position within the user's history; by default ordered by time, or else as in the file."""

    group: str | None = None
    """Column of an integer by which a split may group, such as the number of a published fold."""

    gain: str | None = None
    """Column of what the interaction is worth to metrics, such as the price paid: `revenue` adds it up, and `ndcg`
    counts it with its option `gain`. By default the weight, from which models learn."""

    event: str | None = None
    """Column of the kind of each interaction: view, cart, buy."""

    event_kind: str | None = None
    """Kind of all interactions of this file, in place of a column `event`."""

    context: dict[str, FeatureType] = Field({})
    """Columns of the request that led to the interaction, with their types: {device: category, budget: number}. A
    query may state them, and filters and learned re-rankers read them."""

    def of_kind(self, kind: str) -> Interactions:
        """Return these options with `kind` as the kind of every row; raises DataError if they state it otherwise."""
        if self.event is not None or self.event_kind not in (None, kind):
            raise DataError(f"{self.path}: its kind is '{kind}', as `events` says; leave out `event` and `event_kind`")
        return self.model_copy(update={"event_kind": kind})


class Impressions(FileSource):
    """Impressions: items that were shown to a user and not taken, one per row."""

    user: str
    """Column of the user; unknown users are ignored."""

    item: str
    """Column of the item, or of a list of items; unknown items are ignored."""

    time: str | None = None
    """Column of the time, as in interactions."""

    time_unit: TimeUnit = "s"
    """Unit of the numbers in the time column, which count from 1970 on."""

    time_format: str | None = None
    """Form of the texts in the time column, in the terms of strptime: `%d.%m.%Y %H:%M`; by default ISO 8601."""


class Described(FileSource):
    """Options of a file that describes entities of a kind, one per row: the roles of its columns."""

    id: str
    """Column of the id. If several rows have one id, its text, time and typed features come from the first of them."""

    text: tuple[str, ...] = ()
    """Columns of the readable text (title, artist), joined with " - "."""

    time: str | None = None
    """Column of the time (of an item, its release): as in interactions, or a year."""

    time_unit: TimeUnit = "s"
    """Unit of the numbers in the columns of times, which count from 1970 on."""

    time_format: str | None = None
    """Form of the texts in the columns of times, in the terms of strptime: `%d.%m.%Y %H:%M`; by default ISO 8601."""

    features: tuple[str, ...] | dict[str, FeatureType] = ()
    """Columns of features. A list means categories: each value becomes the feature "column:value". A mapping {column:
    type} states the type: `category`, `number`, `flag` or `time`; a missing value is unknown, not 0."""

    value_separator: str = Field(default="|", min_length=1)
    """Separator of several values in one text of a column of tags, entities or categories; list columns need none."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns whose values make up the readable text of an entity."""
        return self.text

    @property
    def feature_types(self) -> dict[str, FeatureType]:
        """The columns of features: name -> type."""
        return self.features if isinstance(self.features, dict) else dict.fromkeys(self.features, "category")

    @property
    def entity_columns(self) -> dict[str, dict[str, str]]:
        """The columns that hold entities of other kinds: kind -> column -> prefix of the ids, "" for none."""
        return {}


class Carrier(Described):
    """Options of a file of users or items, which carry entities of other kinds."""

    tags: tuple[str, ...] | dict[str, str] = ()
    """Columns of tags. A mapping {column: kind} makes tags like "kind:value"."""

    has: dict[KindName, tuple[str, ...]] = Field({})
    """Columns of entities of other kinds: {artists: [artist]}."""

    @property
    def entity_columns(self) -> dict[str, dict[str, str]]:
        """The columns that hold entities of other kinds: kind -> column -> prefix of the ids, "" for none."""
        tags = self.tags if isinstance(self.tags, dict) else dict.fromkeys(self.tags, "")
        others = {kind: dict.fromkeys(columns, "") for kind, columns in self.has.items()}
        return ({TAGS: tags} if tags else {}) | others


class Users(Carrier):
    """Descriptions of users; users without interactions may be listed."""

    title: str | None = None
    """Column of the title, the name of a playlist for example."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of the readable text, which begins with the title if there is one."""
        return self.text if self.title is None else (self.title, *self.text)


class Items(Carrier):
    """Descriptions of items; items without interactions may be listed and can be recommended too."""


class Carried(FileSource):
    """Entities of users or items, one per row."""

    id: str
    """Column of the entity."""

    weight: str | None = None
    """Column of the weight; 1 by default."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """The name of the column with the user or item that has the entity."""


class UserHas(Carried):
    """Entities of users, one per row."""

    user: str
    """Column of the user; unknown users are ignored."""

    @property
    def owner(self) -> str:
        """The name of the column with the user who has the entity."""
        return self.user


class ItemHas(Carried):
    """Entities of items, one per row."""

    item: str
    """Column of the item; unknown items are ignored."""

    @property
    def owner(self) -> str:
        """The name of the column with the item that has the entity."""
        return self.item


class Assignments(FileSource):
    """Entities (tags, say) that users gave to items; a split hides the rows of hidden (user, item) pairs."""

    user: str
    """Column of the user; unknown users are ignored."""

    item: str
    """Column of the item; unknown items are ignored."""

    id: str
    """Column of the entity."""


# Options that derive from these in other modules could not resolve the names of the classes above otherwise.
TableOptions.model_rebuild()
