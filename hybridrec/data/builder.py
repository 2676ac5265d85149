"""Conversion of tables with external ids to a Dataset: the last step of every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, Features, empty_csr
from hybridrec.data.ragged import Ragged
from hybridrec.data.transforms import WeightOptions, weigh
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, PluginError
from hybridrec.types import PADDING, Bools, Doubles, Floats, Ints, Sparse

if TYPE_CHECKING:
    import polars as pl

UNCHANGED = WeightOptions()
"""Weights unchanged."""
_COLUMNS = {
    "interactions": (("user", "item"), ("time", "weight", "position", "group")),
    "users": (("id",), ("title", "time")),
    "items": (("id",), ("text", "time")),
    "user_tags": (("user", "tag"), ("weight",)),
    "item_tags": (("item", "tag"), ("weight",)),
    "assignments": (("user", "item", "tag"), ()),
    "user_features": (("user", "feature"), ("weight",)),
    "item_features": (("item", "feature"), ("weight",)),
}
"""The columns that the frames of `Tables` must have, and those that they may have."""
LINE = "line"
"""The column in which `hybridrec.text_files` numbers lines: it is allowed and ignored."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that a reader has read, one polars frame for each kind; ids, tags and features are text.

    In long frames ids may be integers, read as their decimal text, or of type `Enum`: these take less memory.

    interactions: user, item; and where known time (seconds since 1970), weight, position, group
    users, items: the columns id, and where known title and time (users), text and time (items); they may list
        ids that never interact, and need not list those that do
    user_tags, item_tags: the columns user or item, tag, and where known weight
    assignments: the columns user, item, tag
    user_features, item_features: the columns user or item, feature, and where known weight
    item_vectors: ids, and float32 [len(ids), D]

    Users and items are the ids of `interactions` and of `users` and `items`. Rows of the other tables about
    other ids are ignored: a file of tags may cover more than the catalogue. Raises PluginError if a column is
    missing, or is none of these (`line`, from `hybridrec.text_files`, is allowed).
    """

    interactions: pl.DataFrame
    users: pl.DataFrame | None = None
    items: pl.DataFrame | None = None
    user_tags: pl.DataFrame | None = None
    item_tags: pl.DataFrame | None = None
    assignments: pl.DataFrame | None = None
    user_features: pl.DataFrame | None = None
    item_features: pl.DataFrame | None = None
    item_vectors: tuple[pl.Series, Floats] | None = None

    def __post_init__(self) -> None:
        """Refuse missing and unknown columns: a misspelt one would be lost silently."""
        import polars as pl

        for table, (required, optional) in _COLUMNS.items():
            frame = getattr(self, table)
            if frame is None:
                continue
            if not isinstance(frame, pl.DataFrame):
                raise PluginError(f"Tables.{table} must be a polars DataFrame, not {type(frame).__name__}")
            if missing := [column for column in required if column not in frame.columns]:
                has = ", ".join(frame.columns)
                raise PluginError(f"Tables.{table} lacks the column '{missing[0]}'; it has {has}")
            if useless := [column for column in frame.columns if column not in (*required, *optional, LINE)]:
                takes = ", ".join(required + optional)
                raise PluginError(f"Tables.{table} has the unknown column '{useless[0]}'; it may have {takes}")


def assemble(tables: Tables, weight: WeightOptions = UNCHANGED) -> Dataset:
    """Convert these tables to a Dataset, with weights transformed according to `weight`.

    Within a user, interactions are ordered by position, else by time, else by row; repeats are kept.
    """
    users = _vocabulary("user", interactions=tables.interactions, users=tables.users)
    items = _vocabulary("item", interactions=tables.interactions, items=tables.items)
    user_tags = _known(tables.user_tags, user=users)
    item_tags = _known(tables.item_tags, item=items)
    assignments = _known(tables.assignments, user=users, item=items)
    tags = _vocabulary("tag", user_tags=user_tags, item_tags=item_tags, assignments=assignments)
    return Dataset(
        users=users,
        items=items,
        tags=tags,
        interactions=weigh(_interactions(tables.interactions, users, items), weight),
        titles=_texts(tables.users, "title", users),
        item_text=_texts(tables.items, "text", items),
        declared_user_tags=_csr(user_tags, ("user", users), ("tag", tags)),
        declared_item_tags=_csr(item_tags, ("item", items), ("tag", tags)),
        assignments=_triples(assignments, users, items, tags),
        item_times=_times(tables.items, items),
        item_features=_features(tables.item_features, "item", items),
        item_vectors=_vectors(tables.item_vectors, items),
        user_features=_features(tables.user_features, "user", users),
        user_times=_times(tables.users, users),
    )


def _vocabulary(column: str, **frames: pl.DataFrame | None) -> Vocabulary:
    """Collect the ids in this column of the frames, or in `id` of frames without it; raises DataError for nulls."""
    import polars as pl

    columns = []
    for table, frame in frames.items():
        if frame is None:
            continue
        ids = frame[column if column in frame.columns else "id"]
        if missing := ids.null_count():
            where = f"Tables.{table}: {missing} of {len(ids)} ids missing (null) in the column '{ids.name}'"
            raise DataError(f"{where}; every row needs one")
        columns.append(_distinct(ids))
    return Vocabulary(pl.concat(columns) if columns else ())


def _distinct(ids: pl.Series) -> pl.Series:
    """Return the texts that occur in a column without nulls."""
    import polars as pl

    if not isinstance(ids.dtype, pl.Enum):
        return ids.unique().cast(pl.String)
    occurs = np.zeros(len(ids.dtype.categories), bool)
    occurs[ids.to_physical().to_numpy()] = True
    return ids.dtype.categories.filter(pl.Series(occurs))


def _known(frame: pl.DataFrame | None, **vocabularies: Vocabulary) -> pl.DataFrame | None:
    """Keep the rows in which every named column is in its vocabulary."""
    if frame is None:
        return None
    known: Sequence[Bools] = [ids.encode(frame[name]) != PADDING for name, ids in vocabularies.items()]
    return frame.filter(np.logical_and.reduce(known))


def _interactions(frame: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> Ragged:
    return Ragged.from_columns(
        users.encode(frame["user"]),
        items.encode(frame["item"]),
        (len(users), len(items)),
        times=frame["time"].to_numpy() if "time" in frame.columns else None,
        weights=frame["weight"].to_numpy() if "weight" in frame.columns else None,
        groups=frame["group"].to_numpy() if "group" in frame.columns else None,
        positions=frame["position"].to_numpy() if "position" in frame.columns else None,
    )


def _texts(frame: pl.DataFrame | None, column: str, ids: Vocabulary) -> tuple[str, ...]:
    """Return one text for each id, "" without one. Of several rows for one id the first counts."""
    import polars as pl

    if frame is None or column not in frame.columns:
        return ("",) * len(ids)
    texts = frame.select("id", pl.col(column).fill_null("")).unique("id", keep="first")
    return tuple(_of_ids(ids).join(texts, on="id", how="left", maintain_order="left")[column].fill_null(""))


def _times(frame: pl.DataFrame | None, ids: Vocabulary) -> Doubles | None:
    if frame is None or "time" not in frame.columns:
        return None
    times = frame.select("id", "time").unique("id", keep="first")
    joined = _of_ids(ids).join(times, on="id", how="left", maintain_order="left")["time"]
    return joined.fill_null(np.nan).to_numpy().astype(np.float64)


def _of_ids(ids: Vocabulary) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"id": ids.ids})


def _csr(frame: pl.DataFrame | None, rows: tuple[str, Vocabulary], columns: tuple[str, Vocabulary]) -> Sparse:
    """Sum the weights (or 1) of the pairs over repeats: csr float32."""
    shape = (len(rows[1]), len(columns[1]))
    if frame is None:
        return empty_csr(*shape)
    places = (rows[1].encode(frame[rows[0]]), columns[1].encode(frame[columns[0]]))
    weights = frame["weight"].to_numpy() if "weight" in frame.columns else np.ones(len(frame))
    matrix = csr_matrix((weights.astype(np.float32), places), shape=shape)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _triples(frame: pl.DataFrame | None, users: Vocabulary, items: Vocabulary, tags: Vocabulary) -> Ints:
    """Return int32 [M, 3] in ascending order, so that the order of the file's rows makes no difference."""
    if frame is None:
        return np.empty((0, 3), np.int32)
    triples = np.stack([users.encode(frame["user"]), items.encode(frame["item"]), tags.encode(frame["tag"])], axis=1)
    return np.ascontiguousarray(triples[np.lexsort(triples.T[::-1])])


def _features(frame: pl.DataFrame | None, owner: str, ids: Vocabulary) -> Features | None:
    frame = _known(frame, **{owner: ids})
    if frame is None:
        return None
    names = _vocabulary("feature", **{f"{owner}_features": frame})
    return Features(tuple(names.ids), _csr(frame, (owner, ids), ("feature", names)))


def _vectors(vectors: tuple[pl.Series, Floats] | None, items: Vocabulary) -> Floats | None:
    """Return float32 [I, D]; items without a vector get zeros."""
    if vectors is None:
        return None
    ids, given = vectors
    codes = items.encode(ids)
    result = np.zeros((len(items), given.shape[1]), np.float32)
    result[codes[codes != PADDING]] = given[codes != PADDING]
    return result
