"""Reader `table`: a user's own CSV, TSV, Parquet or JSON Lines files, by a mapping of their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from hybridrec.arrays import Floats
from hybridrec.data.assembly import Tables, assemble
from hybridrec.data.columns import S, Table
from hybridrec.data.dataset import Dataset
from hybridrec.data.dense import Rows
from hybridrec.data.malformed import Malformed, Tolerance
from hybridrec.data.readers import Reader
from hybridrec.data.sources import Assignments, Interactions, Items, ItemTags, ItemVectors, Users, UserTags
from hybridrec.data.transforms import WeightOptions
from hybridrec.errors import DataError

if TYPE_CHECKING:
    import polars as pl


class TableOptions(Tolerance):
    """Which files to read, and what their columns are."""

    interactions: Interactions = Field(examples=[{"path": "plays.csv", "user": "user", "item": "song"}])
    """The only file that is needed."""

    users: Users | None = None
    """What is known of users."""

    items: Items | None = None
    """What is known of items."""

    user_tags: UserTags | None = None
    """Tags of users, one a row."""

    item_tags: ItemTags | None = None
    """Tags of items, one a row."""

    assignments: Assignments | None = None
    """Tags that users gave to items, one a row."""

    item_vectors: ItemVectors | None = None
    """Dense content of items."""

    weight: WeightOptions = WeightOptions()
    """From what the weight column says to how much an interaction counts."""


class TableReader(Reader):
    """Users and items are those of the interactions and of the `users` and `items` files.

    Ids of any type are read as text. An id that is written differently in two files is two ids.
    """

    name: ClassVar[str] = "table"
    Config = TableOptions
    config: TableOptions

    def read(self) -> Dataset:
        """The whole data; raises DataError with file, line and column where something is wrong."""
        config = self.config
        self.malformed = Malformed(strict=config.strict)
        users, items = self._open(config.users), self._open(config.items)
        return assemble(
            Tables(
                interactions=_interactions(Table.of(config.interactions, self.malformed)),
                users=None if users is None else _users(users),
                items=None if items is None else _items(items),
                user_tags=_tags("user", users, self._open(config.user_tags)),
                item_tags=_tags("item", items, self._open(config.item_tags)),
                assignments=_assignments(self._open(config.assignments)),
                user_features=_features(users, "user"),
                item_features=_features(items, "item"),
                item_vectors=_vectors(config.item_vectors, items, self.malformed),
            ),
            config.weight,
        )

    def _open(self, source: S | None) -> Table[S] | None:
        assert self.malformed is not None
        return None if source is None else Table.of(source, self.malformed)


def _interactions(file: Table[Interactions]) -> pl.DataFrame:
    """user, item, and what else the mapping names; rows of weight 0 are gone."""
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


def _users(file: Table[Users]) -> pl.DataFrame:
    """id, and title where there is one."""
    import polars as pl

    columns = {"id": file.ids(file.source.id).cast(pl.String)}
    if file.source.title is not None:
        columns["title"] = file.texts([file.source.title])
    return pl.DataFrame(columns).drop_nulls("id")


def _items(file: Table[Items]) -> pl.DataFrame:
    """id, text, and time where there is one."""
    import polars as pl

    columns = {"id": file.ids(file.source.id).cast(pl.String)}
    if file.source.text:
        columns["text"] = file.texts(file.source.text)
    if file.source.time is not None:
        columns["time"] = file.times(file.source.time, file.source.time_unit, years=True, required=False)
    return pl.DataFrame(columns).drop_nulls("id")


def _tags(
    owner: str, described: Table[Users] | Table[Items] | None, file: Table[UserTags] | Table[ItemTags] | None
) -> pl.DataFrame:
    """owner, tag, weight: from the tag columns of a file of users or items, and from a file of tags."""
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


def _assignments(file: Table[Assignments] | None) -> pl.DataFrame | None:
    import polars as pl

    if file is None:
        return None
    return pl.DataFrame({name: file.ids(getattr(file.source, name)) for name in ("user", "item", "tag")}).drop_nulls()


def _features(file: Table[Users] | Table[Items] | None, owner: str) -> pl.DataFrame | None:
    """owner, feature: "column:value" for each value of each feature column."""
    if file is None or not file.source.features:
        return None
    kinds = {name: name for name in file.source.features}
    return file.labels(file.source.id, kinds, file.source.tag_separator).rename({"owner": owner, "label": "feature"})


def _vectors(
    options: ItemVectors | None, items: Table[Items] | None, malformed: Malformed
) -> tuple[pl.Series, Floats] | None:
    if options is None:
        return None
    if options.path.suffix != ".npy":
        file = Table.of(options, malformed)
        ids, vectors = file.ids(options.id), file.vectors(options.vector)
        usable = ids.is_not_null().to_numpy() & np.isfinite(vectors).all(axis=1)
        return ids.filter(usable), vectors[usable]
    if items is None:
        raise DataError(f"{options.path}: a .npy file needs `items`, whose rows say which item each vector is of")
    ids = items.ids(items.source.id)
    return ids, _load_npy(options.path, len(ids))


def _load_npy(path: Path, rows: int) -> Floats:
    """float32 [rows, D], finite."""
    found = Rows.of(path)
    if len(found.shape) != 2 or len(found) != rows:
        raise DataError(
            f"{path} has the shape {found.shape}; right is one vector for each of the {rows} rows of items "
            "(`hybridrec reduce` makes vectors of arrays with more axes)"
        )
    vectors = np.empty(found.shape, np.float32)
    for part, block in found.blocks():
        vectors[part] = block
    return vectors
