"""Conversion of tables with external ids to a Dataset: the last step of every reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset
from hybridrec.data.entities import Entities
from hybridrec.data.features import LABELS, FeatureColumn, Features
from hybridrec.data.ragged import Ragged
from hybridrec.data.table_blocks import join_blocks
from hybridrec.data.transforms import WeightOptions, split_dislikes, weigh
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, PluginError
from hybridrec.types import ITEMS, KIND_NAME, PADDING, USERS, Bools, Doubles, EntityKind, Floats, Ints, Sparse

if TYPE_CHECKING:
    import polars as pl

UNCHANGED = WeightOptions()
"""Options that leave weights as they are."""
LINE = "line"
"""The column in which `hybridrec.text_files` numbers lines; every table may have it, and it is ignored."""
_INTERACTIONS = (("user", "item"), ("time", "weight", "position", "group", "gain", "target"))
"""The columns that the frame `interactions` must have, and those that it may have; likewise for the frames below."""
_ENTITIES = (("id",), ("text", "time"))
_USER_HAS = (("user", "id"), ("weight",))
_ITEM_HAS = (("item", "id"), ("weight",))
_ASSIGNMENTS = (("user", "item", "id"), ())
_LABELS = (("id", "feature"), ("weight",))
_IMPRESSIONS = (("user", "item"), ("time",))
_RESERVED = frozenset({"user", "title", "text", "time", "words", "features", "nothing", "few-items"})
"""Names that a kind may not have: they mean fields of queries, targets of `hybridrec similar`, or segments."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that a reader has read, as polars frames.

    Ids are text. In long frames they may also be integers (read as their decimal text) or of type `Enum`, which take
    less memory.

    interactions: a frame with the columns `user` and `item`, where known also `time` (seconds since 1970), `weight`,
        `position`, `group`, `gain` and `target`, and the columns that `context` names. A negative weight means a
        dislike. A gain is the worth of the interaction to metrics (the price paid); without the column it is the
        weight. A target is true for an interaction that queries may ask for (a purchase); models only learn from
        the others (views)
    entities: kind -> a frame with the column `id`, where known also `text` and `time`. The text of a user is a title,
        the time of a user is the time of the query, and the time of an item is its release. Users and items without
        interactions may be listed; users and items with interactions need not be listed
    user_has, item_has: kind -> a frame with the columns `user` or `item`, and `id`, where known also `weight`: the
        entities that each user or item has
    assignments: kind -> a frame with the columns `user`, `item` and `id`: entities (tags, say) that users gave to items
    features: kind -> a frame with the column `id` and a column for each feature. Numbers, booleans, dates and texts (or
        lists of texts) become features of the types number, flag, time and category; null is unknown
    labels: kind -> a frame with the columns `id` and `feature`, where known also `weight`: features known by full names
        ("genre:jazz"), one per row
    vectors: kind -> (ids as a polars column, their vectors as float32 [len(ids), D])
    context: the columns of `interactions` that describe the request which led to each (device, shop, budget)
    impressions: a frame with the columns `user` and `item`, where known also `time`: items shown and not taken

    Users and items are the ids of `interactions` and of `entities`; another kind holds the ids of `entities`,
    `user_has`, `item_has` and `assignments`. Rows of the other tables about other ids are ignored: a file of tags
    may cover more than the catalogue. A table that is None is left out. Raises PluginError if a frame lacks a required
    column or has an unknown one (`line`, from `hybridrec.text_files`, is allowed).
    """

    interactions: pl.DataFrame
    entities: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    user_has: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    item_has: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    assignments: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    features: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    labels: Mapping[EntityKind, pl.DataFrame | None] = field(default_factory=dict)
    vectors: Mapping[EntityKind, tuple[pl.Series, Floats] | None] = field(default_factory=dict)
    context: Sequence[str] = ()
    impressions: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        """Refuse missing and unknown columns, as a misspelt column would be lost silently. Raises PluginError."""
        for table in ("entities", "user_has", "item_has", "assignments", "features", "labels", "vectors"):
            given = {kind: frame for kind, frame in getattr(self, table).items() if frame is not None}
            object.__setattr__(self, table, given)
        required, optional = _INTERACTIONS
        _check_frame("interactions", self.interactions, (*required, *self.context), optional)
        if self.impressions is not None:
            _check_frame("impressions", self.impressions, *_IMPRESSIONS)
        shapes = {
            "entities": _ENTITIES,
            "user_has": _USER_HAS,
            "item_has": _ITEM_HAS,
            "assignments": _ASSIGNMENTS,
            "labels": _LABELS,
        }
        for table, columns in shapes.items():
            for kind, frame in getattr(self, table).items():
                _check_frame(f"{table}['{kind}']", frame, *columns)
        for kind, frame in self.features.items():
            _check_frame(f"features['{kind}']", frame, ("id",), tuple(getattr(frame, "columns", ())))
        for kind in self.kinds:
            if not re.match(KIND_NAME, kind) or kind in _RESERVED:
                right = "lower case letters, digits, - and _, and no field of queries (user, title)"
                raise PluginError(f"Tables: '{kind}' cannot name a kind of entities; a name has {right}")
        for kind in (USERS, ITEMS):
            for table in ("user_has", "item_has", "assignments"):
                if kind in getattr(self, table):
                    right = "only kinds other than users and items are carried"
                    raise PluginError(f"Tables.{table}['{kind}']: {kind} are ends of interactions; {right}")

    @property
    def kinds(self) -> tuple[EntityKind, ...]:
        """All kinds beside users and items, in ascending order of name."""
        tables = (self.entities, self.user_has, self.item_has, self.assignments)
        return tuple(sorted({kind for table in tables for kind in table} - {USERS, ITEMS}))


def _check_frame(place: str, frame: object, required: Sequence[str], optional: Sequence[str]) -> None:
    """Raise PluginError unless `frame` is a frame with all required columns, and only optional ones beside them."""
    import polars as pl

    if not isinstance(frame, pl.DataFrame):
        raise PluginError(f"Tables.{place} must be a polars DataFrame, not {type(frame).__name__}")
    if missing := [column for column in required if column not in frame.columns]:
        has = ", ".join(frame.columns)
        raise PluginError(f"Tables.{place} lacks the column '{missing[0]}'; it has {has}")
    if useless := [column for column in frame.columns if column not in (*required, *optional, LINE)]:
        takes = ", ".join([*required, *optional])
        raise PluginError(f"Tables.{place} has the unknown column '{useless[0]}'; it may have {takes}")


def assemble(tables: Tables | Iterable[Tables], weight: WeightOptions = UNCHANGED) -> Dataset:
    """Convert tables, or blocks of their rows, to a Dataset, with weights transformed according to `weight`.

    Within a user, interactions are ordered by position, else by time, else by row; repeats are kept. Blocks give the
    same dataset as one set of tables with all their rows, but only one block at a time is held with its ids as text.
    """
    whole = tables if isinstance(tables, Tables) else join_blocks(tables)

    def histories(users: Vocabulary, items: Vocabulary) -> tuple[Ragged, Ragged | None]:
        interactions, dislikes = split_dislikes(_interactions(whole, users, items), weight)
        return weigh(interactions, weight), dislikes

    return assemble_with(whole, histories)


def assemble_with(
    tables: Tables, histories: Callable[[Vocabulary, Vocabulary], tuple[Ragged, Ragged | None]]
) -> Dataset:
    """Convert tables to a Dataset, except for their interactions, of which only the ids of users and items are read.

    `histories` is called with the vocabularies of users and items, and returns (interactions, dislikes).
    """
    about = tables.entities
    users = _vocabulary(("interactions", tables.interactions, "user"), ("entities['users']", about.get(USERS), "id"))
    items = _vocabulary(("interactions", tables.interactions, "item"), ("entities['items']", about.get(ITEMS), "id"))
    ends = {USERS: users, ITEMS: items}
    user_has = {kind: _keep_known(frame, user=users) for kind, frame in tables.user_has.items()}
    item_has = {kind: _keep_known(frame, item=items) for kind, frame in tables.item_has.items()}
    assignments = {kind: _keep_known(frame, user=users, item=items) for kind, frame in tables.assignments.items()}
    tables_of = {"entities": about, "user_has": user_has, "item_has": item_has, "assignments": assignments}
    vocabularies = ends | {
        kind: _vocabulary(*((f"{name}['{kind}']", table.get(kind), "id") for name, table in tables_of.items()))
        for kind in tables.kinds
    }
    interactions, dislikes = histories(users, items)
    return Dataset(
        entities={kind: _entities(kind, tables, ids) for kind, ids in vocabularies.items()},
        interactions=interactions,
        dislikes=dislikes,
        user_has={kind: _csr(frame, ("user", users), ("id", vocabularies[kind])) for kind, frame in user_has.items()},
        item_has={kind: _csr(frame, ("item", items), ("id", vocabularies[kind])) for kind, frame in item_has.items()},
        assignments={kind: _triples(frame, users, items, vocabularies[kind]) for kind, frame in assignments.items()},
        impressions=_impressions(tables.impressions, users, items),
    )


def _entities(kind: EntityKind, tables: Tables, ids: Vocabulary) -> Entities:
    """Return the entities of a kind with their texts, times, features and vectors."""
    frame = tables.entities.get(kind)
    return Entities(
        vocabulary=ids,
        text=_texts(frame, "text", ids),
        times=_times(frame, ids),
        features=_features(kind, tables, ids),
        vectors=_vectors(tables.vectors.get(kind), ids),
    )


def _vocabulary(*columns: tuple[str, pl.DataFrame | None, str]) -> Vocabulary:
    """Return the vocabulary of all ids in the given columns; raises DataError if any is null.

    A column is given as (name of the table for messages, frame or None, name of the column).
    """
    import polars as pl

    distinct = []
    for place, frame, column in columns:
        if frame is None:
            continue
        ids = frame[column]
        if missing := ids.null_count():
            where = f"Tables.{place}: {missing} of {len(ids)} ids missing (null) in the column '{column}'"
            raise DataError(f"{where}; every row needs one")
        distinct.append(_distinct(ids))
    return Vocabulary(pl.concat(distinct) if distinct else ())


def _distinct(ids: pl.Series) -> pl.Series:
    """Return the distinct ids of a column without nulls, as text."""
    import polars as pl

    if not isinstance(ids.dtype, pl.Enum):
        return ids.unique().cast(pl.String)
    occurs = np.zeros(len(ids.dtype.categories), bool)
    occurs[ids.to_physical().to_numpy()] = True
    return ids.dtype.categories.filter(pl.Series(occurs))


def _keep_known(frame: pl.DataFrame | None, **vocabularies: Vocabulary) -> pl.DataFrame:
    """Keep the rows with known ids: `user=users` keeps rows whose id in column `user` is in the vocabulary `users`."""
    assert frame is not None  # `Tables` drops tables that are None
    is_known: Sequence[Bools] = [ids.encode(frame[name]) != PADDING for name, ids in vocabularies.items()]
    return frame.filter(np.logical_and.reduce(is_known))


def _interactions(tables: Tables, users: Vocabulary, items: Vocabulary) -> Ragged:
    frame = tables.interactions
    return Ragged.from_columns(
        users.encode(frame["user"]),
        items.encode(frame["item"]),
        (len(users), len(items)),
        times=frame["time"].to_numpy() if "time" in frame.columns else None,
        weights=frame["weight"].to_numpy() if "weight" in frame.columns else None,
        groups=frame["group"].to_numpy() if "group" in frame.columns else None,
        context=_context(tables),
        targets=frame["target"].to_numpy() if "target" in frame.columns else None,
        gains=frame["gain"].to_numpy() if "gain" in frame.columns else None,
        positions=frame["position"].to_numpy() if "position" in frame.columns else None,
    )


def _context(tables: Tables) -> Features | None:
    frame, names = tables.interactions, tables.context
    return Features({name: feature_column(name, frame[name]) for name in names}) if names else None


def _impressions(frame: pl.DataFrame | None, users: Vocabulary, items: Vocabulary) -> Ragged | None:
    if frame is None:
        return None
    frame = _keep_known(frame, user=users, item=items)
    times = frame["time"].to_numpy() if "time" in frame.columns else None
    codes = users.encode(frame["user"]), items.encode(frame["item"])
    return Ragged.from_columns(*codes, (len(users), len(items)), times=times)


def _texts(frame: pl.DataFrame | None, column: str, ids: Vocabulary) -> tuple[str, ...]:
    """Return a text for each id, taken from the first row of the frame that has the id; "" if no row has it."""
    import polars as pl

    if frame is None or column not in frame.columns:
        return ("",) * len(ids)
    texts = frame.select(pl.col("id").cast(pl.String), pl.col(column).fill_null("")).unique("id", keep="first")
    return tuple(_of_ids(ids).join(texts, on="id", how="left", maintain_order="left")[column].fill_null(""))


def _times(frame: pl.DataFrame | None, ids: Vocabulary) -> Doubles | None:
    import polars as pl

    if frame is None or "time" not in frame.columns:
        return None
    times = frame.select(pl.col("id").cast(pl.String), "time").unique("id", keep="first")
    joined = _of_ids(ids).join(times, on="id", how="left", maintain_order="left")["time"]
    return joined.fill_null(np.nan).to_numpy().astype(np.float64)


def _of_ids(ids: Vocabulary) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"id": ids.ids})


def _csr(frame: pl.DataFrame, rows: tuple[str, Vocabulary], columns: tuple[str, Vocabulary]) -> Sparse:
    """Return a csr float32 with an entry for each pair of ids that occurs in two columns: the sum of its rows' weights.

    Without a column of weights, the entry is the number of rows that have the pair. `rows` says which ids are the rows
    of the matrix: (name of the column in `frame`, vocabulary of its ids); `columns` says so for its columns.
    """
    shape = (len(rows[1]), len(columns[1]))
    places = (rows[1].encode(frame[rows[0]]), columns[1].encode(frame[columns[0]]))
    weights = frame["weight"].to_numpy() if "weight" in frame.columns else np.ones(len(frame))
    matrix = csr_matrix((weights.astype(np.float32), places), shape=shape)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _triples(frame: pl.DataFrame, users: Vocabulary, items: Vocabulary, ids: Vocabulary) -> Ints:
    """Return the codes of user, item and entity of each row: int32 [M, 3].

    The rows are put in ascending order, so that the order of the file's rows makes no difference.
    """
    triples = np.stack([users.encode(frame["user"]), items.encode(frame["item"]), ids.encode(frame["id"])], axis=1)
    return np.ascontiguousarray(triples[np.lexsort(triples.T[::-1])])


def _features(kind: EntityKind, tables: Tables, ids: Vocabulary) -> Features | None:
    """Return the features of a kind: its typed columns, and one more column that holds all its labels.

    The result is None if the kind has neither.
    """
    import polars as pl

    columns = {}
    if kind in tables.labels:
        frame = _keep_known(tables.labels[kind], id=ids)
        names = _vocabulary((f"labels['{kind}']", frame, "feature"))
        columns[LABELS] = FeatureColumn("category", _csr(frame, ("id", ids), ("feature", names)), tuple(names.ids))
    if kind in tables.features:
        described = tables.features[kind]
        assert described is not None
        stated = described.unique("id", keep="first").with_columns(pl.col("id").cast(pl.String))
        aligned = _of_ids(ids).join(stated, on="id", how="left", maintain_order="left")
        for name in sorted(set(aligned.columns) - {"id", LINE}):
            columns[name] = feature_column(name, aligned[name])
    return Features(columns) if columns else None


def feature_column(name: str, values: pl.Series) -> FeatureColumn:
    """Return a polars column as a feature column, of the type that fits the polars type; a null is an unknown value.

    Raises PluginError for a column that holds neither numbers, booleans, dates, datetimes, texts nor lists of texts.
    """
    import polars as pl

    dtype = values.dtype
    if dtype == pl.Boolean:
        return FeatureColumn("flag", values.cast(pl.Float32).fill_null(np.nan).to_numpy())
    if dtype.is_numeric():
        return FeatureColumn("number", values.cast(pl.Float32).fill_null(np.nan).to_numpy())
    if isinstance(dtype, pl.Date | pl.Datetime):
        times = values.dt.epoch("us").cast(pl.Float64) / 1e6
        return FeatureColumn("time", times.fill_null(np.nan).to_numpy())
    if isinstance(dtype, pl.List | pl.Array):
        return _categories(values.cast(pl.List(pl.String)))
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return _categories(values.cast(pl.String).to_frame().select(pl.concat_list(pl.all())).to_series())
    right = "numbers, booleans, dates, texts or lists of texts"
    raise PluginError(f"Tables: the column '{name}' holds {dtype}; a feature holds {right}")


def _categories(values: pl.Series) -> FeatureColumn:
    """Return a category column from a polars column of lists of texts; missing and empty texts are left out."""
    import polars as pl

    rows = pl.DataFrame({"row": np.arange(len(values), dtype=np.int32), "name": values}).explode("name")
    rows = rows.filter(pl.col("name").fill_null("") != "").unique()
    names = Vocabulary(rows["name"])
    ones = np.ones(len(rows), np.float32)
    places = (rows["row"].to_numpy(), names.encode(rows["name"]))
    matrix = csr_matrix((ones, places), shape=(len(values), len(names)), dtype=np.float32)
    return FeatureColumn("category", matrix, tuple(names.ids))


def _vectors(vectors: tuple[pl.Series, Floats] | None, vocabulary: Vocabulary) -> Floats | None:
    """Return the vector of each entity in the vocabulary: float32 [N, D], zeros for an entity without one.

    Vectors of other ids are ignored. None if there are no vectors.
    """
    if vectors is None:
        return None
    ids, given = vectors
    codes = vocabulary.encode(ids)
    result = np.zeros((len(vocabulary), given.shape[1]), np.float32)
    result[codes[codes != PADDING]] = given[codes != PADDING]
    return result
