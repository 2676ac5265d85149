"""Reader `table`: a user's own CSV, TSV, Parquet or JSON Lines files, by a mapping of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset
from hybridrec.data.io.bad_lines import BadLineOptions, BadLines
from hybridrec.data.io.columns import ColumnTable, S
from hybridrec.data.io.npy import Rows
from hybridrec.data.readers.base import Reader
from hybridrec.data.transforms import WeightOptions
from hybridrec.errors import DataError
from hybridrec.types import Floats

if TYPE_CHECKING:
    import polars as pl
from hybridrec.data.io.columns import TimeUnit
from hybridrec.data.io.files import FileSource


class TableOptions(BadLineOptions):
    """Files to read, and the roles of their columns."""

    interactions: Interactions = Field(examples=[{"path": "plays.csv", "user": "user", "item": "song"}])
    """The only file that is required."""

    users: Users | None = None
    """Descriptions of users."""

    items: Items | None = None
    """Descriptions of items."""

    user_tags: UserTags | None = None
    """Tags of users, one per row."""

    item_tags: ItemTags | None = None
    """Tags of items, one per row."""

    assignments: Assignments | None = None
    """Tags that users gave to items, one per row."""

    item_vectors: ItemVectors | None = None
    """Dense content of items."""

    weight: WeightOptions = WeightOptions()
    """Transformation of the weight column to the weights of interactions."""


class TableReader(Reader):
    """A reader of tables; users and items are those of the interactions and of the `users` and `items` files.

    Ids of any type are read as text. An id that is written differently in two files is two ids.
    """

    name: ClassVar[str] = "table"
    Config = TableOptions
    config: TableOptions

    def read(self) -> Dataset:
        """Read all data; raises DataError with file, line and column if something is wrong."""
        config = self.config
        self.bad_lines = BadLines(strict=config.strict)
        users, items = self._open(config.users), self._open(config.items)
        return assemble(
            Tables(
                interactions=_interactions(ColumnTable.of(config.interactions, self.bad_lines, self.frames)),
                users=None if users is None else _users(users),
                items=None if items is None else _items(items),
                user_tags=_tags("user", users, self._open(config.user_tags)),
                item_tags=_tags("item", items, self._open(config.item_tags)),
                assignments=_assignments(self._open(config.assignments)),
                user_features=_features(users, "user"),
                item_features=_features(items, "item"),
                item_vectors=_vectors(config.item_vectors, items, self.bad_lines, self.frames),
            ),
            config.weight,
        )

    def _open(self, source: S | None) -> ColumnTable[S] | None:
        assert self.bad_lines is not None
        return None if source is None else ColumnTable.of(source, self.bad_lines, self.frames)


def _interactions(file: ColumnTable[Interactions]) -> pl.DataFrame:
    """Return user, item, and the other columns of the mapping, without rows of weight 0."""
    import polars as pl

    options = file.source
    file = file.unrolled(options.item)
    columns = {"user": file.ids(options.user), "item": file.ids(options.item)}
    if options.time is not None:
        columns["time"] = file.times(options.time, options.time_unit)
    if options.weight is not None:
        columns["weight"] = file.weights(options.weight)
    if options.position is not None:
        columns["position"] = file.numbers(options.position)
    if options.group is not None:
        columns["group"] = file.integers(options.group)
    frame = pl.DataFrame(columns).drop_nulls()
    if options.weight is not None:
        frame = frame.filter(pl.col("weight") > 0)
    if not len(frame):
        raise DataError(f"{options.path} has no interactions: it has no rows, or none of a weight above 0")
    return frame


def _users(file: ColumnTable[Users]) -> pl.DataFrame:
    """Return id, and title if there is one."""
    import polars as pl

    columns = {"id": file.ids(file.source.id).cast(pl.String)}
    if file.source.title is not None:
        columns["title"] = file.texts([file.source.title])
    return pl.DataFrame(columns).drop_nulls("id")


def _items(file: ColumnTable[Items]) -> pl.DataFrame:
    """Return id, and text and time if there are any."""
    import polars as pl

    columns = {"id": file.ids(file.source.id).cast(pl.String)}
    if file.source.text:
        columns["text"] = file.texts(file.source.text)
    if file.source.time is not None:
        columns["time"] = file.times(file.source.time, file.source.time_unit, years=True, required=False)
    return pl.DataFrame(columns).drop_nulls("id")


def _tags(
    owner: str,
    described: ColumnTable[Users] | ColumnTable[Items] | None,
    file: ColumnTable[UserTags] | ColumnTable[ItemTags] | None,
) -> pl.DataFrame:
    """Return owner, tag, weight: from the tag columns of a file of users or items, and from a file of tags."""
    import polars as pl

    parts = [pl.DataFrame(schema={owner: pl.String, "tag": pl.String, "weight": pl.Float32})]
    if described is not None:
        tags = described.source.tags
        kinds = tags if isinstance(tags, dict) else dict.fromkeys(tags, "")
        labels = described.labels(described.source.id, kinds, described.source.tag_separator)
        parts.append(labels.select(pl.col("owner").alias(owner), tag="label", weight=pl.lit(1.0, pl.Float32)))
    if file is not None:
        frame = pl.DataFrame({owner: file.ids(file.source.owner), "tag": file.ids(file.source.tag)})
        frame = frame.cast(pl.String)
        weight = file.source.weight
        parts.append(frame.with_columns(weight=pl.lit(1.0, pl.Float32) if weight is None else file.weights(weight)))
    return pl.concat(parts).drop_nulls()


def _assignments(file: ColumnTable[Assignments] | None) -> pl.DataFrame | None:
    import polars as pl

    if file is None:
        return None
    return pl.DataFrame({name: file.ids(getattr(file.source, name)) for name in ("user", "item", "tag")}).drop_nulls()


def _features(file: ColumnTable[Users] | ColumnTable[Items] | None, owner: str) -> pl.DataFrame | None:
    """Return owner, feature: "column:value" for each value of each feature column."""
    if file is None or not file.source.features:
        return None
    kinds = {name: name for name in file.source.features}
    return file.labels(file.source.id, kinds, file.source.tag_separator).rename({"owner": owner, "label": "feature"})


def _vectors(
    options: ItemVectors | None,
    items: ColumnTable[Items] | None,
    bad_lines: BadLines,
    frames: Mapping[str, pl.DataFrame],
) -> tuple[pl.Series, Floats] | None:
    if options is None:
        return None
    if options.path.suffix != ".npy":
        file = ColumnTable.of(options, bad_lines, frames)
        ids, vectors = file.ids(options.id), file.vectors(options.vector)
        usable = ids.is_not_null().to_numpy() & np.isfinite(vectors).all(axis=1)
        return ids.filter(usable), vectors[usable]
    if items is None:
        raise DataError(f"{options.path}: a .npy file needs `items`, whose rows name the item of each vector")
    ids = items.ids(items.source.id)
    return ids, _load_npy(options.path, len(ids))


def _load_npy(path: Path, rows: int) -> Floats:
    """Load float32 [rows, D], finite."""
    stored = Rows.of(path)
    if len(stored.shape) != 2 or len(stored) != rows:
        raise DataError(
            f"{path} has the shape {stored.shape}; right is one vector for each of the {rows} rows of items "
            "(`hybridrec reduce` makes vectors of arrays with more axes)"
        )
    vectors = np.empty(stored.shape, np.float32)
    for part, block in stored.blocks():
        vectors[part] = block
    return vectors


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
    """Unit of numbers in the time column, since 1970."""

    weight: str | None = None
    """Column of the rating or count; not negative. Rows of weight 0 are not interactions and are dropped."""

    position: str | None = None
    """Column of the position within the user's history; by default ordered by time, or else as in the file."""

    group: str | None = None
    """Column of an integer by which a split may group, such as the number of a published fold."""


class Described(FileSource):
    """Options of a file that describes users or items, one row each: its columns and their roles."""

    id: str
    """Column of the user or item. Of several rows for one, the first gives title, text and time."""

    tags: tuple[str, ...] | dict[str, str] = ()
    """Columns of tags. A mapping {column: kind} makes tags like "kind:value"."""

    features: tuple[str, ...] = ()
    """Columns of features; each value becomes the feature "column:value"."""

    tag_separator: str = Field(default="|", min_length=1)
    """Separator of several values in one text of a tag or feature column; list columns need none."""


class Users(Described):
    """Descriptions of users; users without interactions may be listed."""

    title: str | None = None
    """Column of the title, the name of a playlist for example."""


class Items(Described):
    """Descriptions of items; items without interactions may be listed and can be recommended too."""

    text: tuple[str, ...] = ()
    """Columns of the readable text (title, artist), joined with " - "."""

    time: str | None = None
    """Column of the release time of the item: as in interactions, or a year."""

    time_unit: TimeUnit = "s"
    """Unit of numbers in the time column, since 1970."""


class Tags(FileSource):
    """Tags, one per row."""

    tag: str
    """Column of the tag."""

    weight: str | None = None
    """Column of the weight; 1 by default."""


class UserTags(Tags):
    """Tags of users, one per row."""

    user: str
    """Column of the user; unknown users are ignored."""

    @property
    def owner(self) -> str:
        """The name of the column with the user who has the tag."""
        return self.user


class ItemTags(Tags):
    """Tags of items, one per row."""

    item: str
    """Column of the item; unknown items are ignored."""

    @property
    def owner(self) -> str:
        """The name of the column with the item that has the tag."""
        return self.item


class Assignments(FileSource):
    """Tags that users gave to items, one per row; a split hides the rows of hidden (user, item) pairs."""

    user: str
    """Column of the user; unknown users are ignored."""

    item: str
    """Column of the item; unknown items are ignored."""

    tag: str
    """Column of the tag."""


class ItemVectors(FileSource):
    """Dense content of items: audio or text embeddings; items that are not listed get zeros."""

    id: str = "id"
    """Column of the item (Parquet, JSON Lines). A .npy file has one row for each row of the `items` file; it is read in
    blocks, and `hybridrec reduce` makes a small one of a large one.
    """

    vector: str = "vector"
    """Column of the vector, a list of numbers (Parquet, JSON Lines)."""
