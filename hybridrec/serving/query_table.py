"""Tables with a row for each query, encoded as a batch of arrays without Python code for each query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.features import LABELS, FeatureColumn, Features, FeatureType
from hybridrec.data.io.columns import parse_times
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.errors import DataError, did_you_mean
from hybridrec.serving.filter_rules import AttributeIndex, FilterError, conditions_of, read_rules, valid_rules
from hybridrec.serving.lookup import unknown_id
from hybridrec.serving.query_exclusion import QueryExclusion
from hybridrec.types import ITEMS, PADDING, Bools, Doubles, EntityKind, Ints, Longs, Sparse, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.dataset import Dataset
    from hybridrec.data.vocabulary import Vocabulary
    from hybridrec.serving.filter_rules import Condition

RULES = "filters"
"""The column of filter rules."""
FIELDS = (
    "query", "user", "items", "item_times", "item_weights", "text", "disliked", "blocked", "pinned", "time", "n", RULES,
)  # fmt: skip
"""The columns that any table of queries may have, besides a column for each kind of the data."""
FILTERS = f"{RULES}."
"""The beginning of the columns of conditions on attributes of the target."""
NESTED = ("entities", "user_features", "context", RULES)
"""The fields of a query that are mappings: struct columns, or a column `FIELD.NAME` for each name."""
_LARGEST = float(np.finfo(np.float32).max)
_MOST_PLACES = 100_000
"""The number of places that a query may ask for, however small the catalogue is."""
_ELSEWHERE = {
    "pipeline": "one pipeline answers all queries: name it with --pipeline (`pipeline=`)",
    "target": "all queries ask for the same kind: name it with --target (`target=`)",
    "explain": "all slates are explained, or none: give --explain (`explain=True`)",
    "cursor": "there are no pages here: ask for more places by the column `n`, or by -n (`n=`)",
    "id": "the name of a query is the column `query`",
    "queries": "each query is a row of its own",
}
"""Key of requests over HTTP that no column stands for -> a clause on what does."""
Places = Callable[[int], str]
"""A function that names the place of a row of the table, counted from 0, for messages: "queries.csv:7"."""


@dataclass(frozen=True, slots=True)
class EncodedTable:
    """The queries of a table in the codes of a dataset.

    names: the id of each query, text [Q]
    batch: what the queries state; `batch.ids` are the names
    bare: bool [Q], True for queries that state no items, entities or text, and so get the profile of their user
    n: int64 [Q], the number of places that each query asks for, 0 if it gives no number; None without a column `n`
    exclusion: the ids of the target that the queries exclude, and those that they pin
    pinned: the codes of the target that take the first places of each slate; None if no query states any
    """

    names: pl.Series
    batch: QueryBatch
    bare: Bools
    n: Longs | None
    exclusion: QueryExclusion
    pinned: Ragged | None


def encode_table(
    frame: pl.DataFrame,
    data: Dataset,
    places: Places,
    *,
    refuse_unknown: bool,
    name: str = "queries",
    target: Target = ITEMS,
) -> EncodedTable:
    """Encode a table of queries, whose columns are the fields of `Query`.

    frame: the columns `FIELDS`, a column named like each kind of the data (or `entities.KIND`), `user_features.NAME`,
        `context.NAME`, `filters` and `filters.NAME`; each may be missing. `items`, `disliked`, `blocked`, `pinned` and
        kinds hold lists of ids. Without the column `query` the name of a query is the id of its user
    places: the function that names the place of a row, for messages
    refuse_unknown: True to raise DataError for an unknown id of an item or another entity, False to pass over the id.
        An unknown user is always a new user
    name: the name of the table, for messages about whole columns
    target: kind of the entities that are recommended, of which `blocked` and `pinned` name ids and filters attributes

    Raises DataError for an unknown column and for a value that cannot be used; the message names the column and, for a
    value, its place.
    """
    table = _Table(_flat(frame, valid_columns(data, target), name), data, places, refuse_unknown, name)
    users, names = table.ids("user"), table.names()
    history, states_items = table.history()
    entities, states_entities = table.entities()
    text = table.texts()
    codes = np.full(len(frame), PADDING, np.int32) if users is None else data.users.vocabulary.encode(users)
    batch = QueryBatch(
        users=codes,
        history=history,
        entities=data.query_has(entities, history),
        text=tuple(text.str.strip_chars().to_list()),
        times=table.times(),
        disliked=table.listed("disliked", ITEMS),
        user_features=_user_features(table.features("user_features", data.users.features), codes, data.users.features),
        context=table.features("context", data.interactions.context),
        derived=data.through_items,
        ids=tuple(names.to_list()),
    )
    bare = ~(states_items | states_entities | (text != "").to_numpy())
    blocked = table.listed("blocked", target)
    pinned = table.pinned(target, blocked)
    if pinned is not None:
        blocked = pinned if blocked is None else blocked.extended(pinned)
    exclusion = QueryExclusion(blocked, *table.conditions(target))
    return EncodedTable(names, batch, bare, table.lengths(), exclusion, pinned)


def most_places(data: Dataset) -> int:
    """Return the most places that a query may ask for: slates have a column for each, also where nothing fills it."""
    return max(_MOST_PLACES, *(data.size(kind) for kind in data.entities))


def valid_columns(data: Dataset, target: Target) -> list[str]:
    """Return the names of the columns that a table of queries for a target may have, once `NESTED` fields are flat."""
    return [*FIELDS, *data.kinds, *column_types(data, target)]


def column_types(data: Dataset, target: Target) -> dict[str, FeatureType]:
    """Return the types of the columns `FIELD.NAME`, by their names: features, context and attributes of the target."""
    fields = {
        "user_features": data.users.features,
        "context": data.interactions.context,
        RULES: data.entities[target].features if target in data.entities else None,
    }
    return {
        f"{field}.{name}": kind
        for field, features in fields.items()
        if features is not None
        for name, kind in features.types.items()
    }


def unknown_column(name: str, valid: Sequence[str]) -> str:
    """Return the end of a message about a column that a table of queries cannot have."""
    if name in _ELSEWHERE:
        return f"the column '{name}' is of requests over HTTP alone; {_ELSEWHERE[name]}"
    return f"unknown column '{name}'; {did_you_mean(name, valid)}"


def _flat(frame: pl.DataFrame, valid: Sequence[str], table: str) -> pl.DataFrame:
    """Return the table without struct columns: each of their fields becomes a column `FIELD.NAME`.

    Columns `entities.KIND` are renamed to `KIND`. Raises DataError for unknown columns, and for a column that the table
    has twice.
    """
    import polars as pl

    columns: dict[str, pl.Series] = {}
    for column in frame:
        nested = column.name in NESTED
        if nested and isinstance(column.dtype, pl.Struct):
            fields = {f"{column.name}.{name}": column.struct.field(name) for name in column.struct.fields}
        elif nested and column.dtype == pl.Null:
            continue
        else:
            fields = {column.name: column}
        for name, values in fields.items():
            name = name.removeprefix("entities.")
            if name in columns:
                raise DataError(f"{table}: the column '{name}' is there twice")
            columns[name] = values
    for name in columns:
        if name not in valid:
            raise DataError(f"{table}: {unknown_column(name, valid)}")
    return pl.DataFrame(columns) if columns else frame


@dataclass(frozen=True, slots=True)
class _Table:
    """A flat table of queries, whose columns are checked and encoded one by one."""

    frame: pl.DataFrame
    data: Dataset
    places: Places
    refuse_unknown: bool
    name: str

    def column(self, name: str) -> pl.Series | None:
        """Return a column; None if the table does not have it, or if the column has the type Null."""
        import polars as pl

        if name not in self.frame.columns or self.frame[name].dtype == pl.Null:
            return None
        return self.frame[name]

    def error(self, row: int, column: str, fault: str) -> DataError:
        """Return, but do not raise, the error about the value in a row of a column; its message ends with `fault`."""
        return DataError(f"{self.places(row)}: column '{column}': {fault}")

    def wrong(self, column: str, is_wrong: pl.Series, values: pl.Series, fault: str, rows: Longs | None = None) -> None:
        """Raise DataError for the first value for which `is_wrong` is True; return if there is none.

        column: the name of the column
        fault: a clause on the value, with which the message ends
        rows: for the values of lists, the row of each value in the table
        """
        mask = is_wrong.fill_null(False).to_numpy()
        if mask.any():
            place = int(np.argmax(mask))
            raise self.error(place if rows is None else int(rows[place]), column, f"{values[place]!r} {fault}")

    def ids(self, name: str) -> pl.Series | None:
        """Return a column of ids as text, null where missing; None if the table does not have it."""
        column = self.column(name)
        return None if column is None else self._as_ids(column, name)

    def _as_ids(self, values: pl.Series, name: str, rows: Longs | None = None) -> pl.Series:
        """Return ids as text; raises DataError for values that are neither text nor whole numbers."""
        import polars as pl

        if values.dtype.is_float():
            values = values.fill_nan(None)
            misfits = (values != values.floor()) | (values.abs() >= 2.0**63)
            self.wrong(name, misfits, values, "is not an id; ids are text or whole numbers", rows)
            return values.cast(pl.Int64).cast(pl.String)
        if values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical, pl.Enum):
            return values.cast(pl.String)
        raise DataError(f"{self.name}: column '{name}' holds {values.dtype}; ids are text or whole numbers")

    def names(self) -> pl.Series:
        """Return the id of each query; raises DataError if a query has neither an id nor a user."""
        name = "query" if "query" in self.frame.columns else "user"
        ids = self.ids(name)
        if ids is None:
            raise DataError(f"{self.name}: give each query a name: a column `query`, or `user`, which then names it")
        if ids.null_count():
            raise self.error(
                _first(ids.is_null()), name, "is empty; each query needs a name, by which its recommendations are found"
            )
        return ids.alias("query")

    def texts(self) -> pl.Series:
        """Return the column `text`, "" where it is missing."""
        import polars as pl

        column = self.column("text")
        if column is None:
            return pl.Series("text", [""], dtype=pl.String).new_from_index(0, len(self.frame))
        if column.dtype != pl.String:
            raise DataError(f"{self.name}: column 'text' holds {column.dtype}; right is text")
        return column.fill_null("")

    def history(self) -> tuple[Ragged, Bools]:
        """Return (histories, states_items): the encoded histories, and bool [Q].

        `states_items` is True for queries that state items, even if all their items are unknown.
        """
        items = self.lists(ITEMS)
        if items is None:
            return Ragged.empty(len(self.frame), len(self.data.items)), np.zeros(len(self.frame), bool)
        values, offsets = items
        times, weights = (self.beside_items(name, offsets) for name in ("item_times", "item_weights"))
        codes = self.codes(ITEMS, ITEMS, values, offsets)
        weights32 = None if weights is None else np.where(np.isnan(weights), 1, weights).astype(np.float32)
        ragged = Ragged(codes, offsets, len(self.data.items), times, weights32)
        return ragged.where(codes != PADDING), np.diff(offsets) > 0

    def beside_items(self, name: str, items: Longs) -> Doubles | None:
        """Return the numbers in a column of lists that has a number for each item of a row: float64 [number of items].

        The numbers are NaN in rows without a list. Returns None if no row has a list. `items` are the offsets of the
        rows among the items. Raises DataError for a list that does not have as many values as the row has items.
        """
        column = self.column(name)
        if column is None or column.null_count() == len(column):
            return None
        values, offsets = self._exploded(column, name)
        given, lengths = np.diff(offsets), np.diff(items)
        stated = ~column.is_null().to_numpy()
        if (wrong := stated & (given != lengths)).any():
            row = int(np.argmax(wrong))
            fault = f"has {given[row]} values for {lengths[row]} items; give one for each"
            raise self.error(row, name, fault)
        rows = np.repeat(np.arange(len(given), dtype=np.int64), given)
        numbers = self.moments(values, name, rows) if name == "item_times" else self.numbers(values, name, rows)
        result = np.full(int(items[-1]), np.nan)
        result[np.repeat(stated, lengths)] = numbers
        return result

    def listed(self, name: str, kind: EntityKind) -> Ragged | None:
        """Return a column of lists of ids of a kind in codes, without unknown ids; None if no query states any."""
        lists = self.lists(name)
        if lists is None or not len(lists[0]):
            return None
        codes = self.codes(name, kind, *lists)
        return Ragged(codes, lists[1], self.data.size(kind)).where(codes != PADDING)

    def pinned(self, target: Target, blocked: Ragged | None) -> Ragged | None:
        """Return the column `pinned` in codes, without ids that repeat or are blocked; None if no query states any."""
        stated = self.listed("pinned", target)
        if stated is None:
            return None
        pairs = stated.rows.astype(np.int64) * stated.width + stated.ids
        kept = np.zeros(len(pairs), bool)
        kept[np.unique(pairs, return_index=True)[1]] = True
        if blocked is not None:
            kept &= ~np.isin(pairs, blocked.rows.astype(np.int64) * blocked.width + blocked.ids)
        return stated.where(kept)

    def conditions(self, target: Target) -> tuple[tuple[tuple[Condition, ...], ...], Ints]:
        """Return (conditions, group): the conditions of each group of queries that state the same, and int32 [Q].

        The group of queries without conditions is -1. An id has to meet all rules in the column `filters`, and to have
        any of the values in each column `filters.NAME`.
        """
        names = [name for name in self.frame.columns if _is_condition(name) and self.column(name) is not None]
        group = np.full(len(self.frame), PADDING, np.int32)
        if not names:
            return (), group
        index = AttributeIndex(self.data.entities[target].features, target)
        asked = {name.removeprefix(FILTERS): self._asked(name, target) for name in names if name != RULES}
        grouped = self.frame.select(names).with_row_index("row").group_by(names, maintain_order=True).agg("row")
        conditions: list[tuple[Condition, ...]] = []
        for rows in grouped["row"]:
            row = int(rows[0])
            values = {name: each[offsets[row] : offsets[row + 1]].tolist() for name, (each, offsets) in asked.items()}
            try:
                rules = [*self._rules(row), *({"column": name, "in": each} for name, each in values.items() if each)]
                stated = conditions_of(index, rules)
            except FilterError as error:
                raise DataError(f"{self.places(row)}: {error.path}: {error}") from None
            if stated:
                group[rows.to_numpy()] = len(conditions)
                conditions.append(stated)
        return tuple(conditions), group

    def _rules(self, row: int) -> list[dict[str, Any]]:
        """Return the valid rules in the column `filters` of a row: JSON, or structs, whose nulls say nothing."""
        import polars as pl

        column = self.column(RULES)
        if column is None or column[row] is None:
            return []
        if column.dtype == pl.String:
            return read_rules(column[row])
        (stated,) = column[row : row + 1].to_list()
        return valid_rules([_without_nulls(rule) for rule in stated] if isinstance(stated, list) else stated)

    def _asked(self, name: str, target: Target) -> tuple[NDArray[Any], Longs]:
        """Return (values, offsets) of a column `filters.NAME`: the values of all rows, and where each row begins.

        The values have the type of the attribute: text, float, or bool for flags. Raises DataError for a row that names
        no value but is not null.
        """
        features, attribute, stated = self.data.entities[target].features, name.removeprefix(FILTERS), self.frame[name]
        assert features is not None  # the columns of the table were checked
        like = features.columns.get(attribute, features.columns.get(LABELS))
        assert like is not None
        stated = stated.fill_nan(None) if stated.dtype.is_float() else stated
        values, rows = self._each(stated, name)
        given = values.is_not_null().to_numpy()
        if (empty := np.setdiff1d(np.flatnonzero(stated.is_not_null().to_numpy()), rows[given])).size:
            raise self.error(int(empty[0]), name, "names no value; leave it null (an empty field) for no condition")
        typed: NDArray[Any]
        if like.type == "category":
            typed = self._as_categories(values, name, stated.dtype).to_numpy()[given]
        else:
            numbers = self._values(like, values, name, rows)[given]
            typed = numbers == 1 if like.type == "flag" else numbers
        return typed, offsets_of(np.bincount(rows[given], minlength=len(stated)))

    def entities(self) -> tuple[dict[EntityKind, Sparse], Bools]:
        """Return (entities, states_entities): by kind, csr float32 [Q, entities of the kind], and bool [Q].

        `states_entities` is True for queries that state an entity, even if all their entities are unknown.
        """
        matrices: dict[EntityKind, Sparse] = {}
        states = np.zeros(len(self.frame), bool)
        for kind in self.data.kinds:
            if kind in FIELDS or (lists := self.lists(kind)) is None:
                continue
            codes = self.codes(kind, kind, *lists)
            matrices[kind] = Ragged(codes, lists[1], self.data.size(kind)).where(codes != PADDING).matrix(binary=True)
            states |= np.diff(lists[1]) > 0
        return matrices, states

    def lists(self, name: str) -> tuple[pl.Series, Longs] | None:
        """Return (ids, offsets) of a column of lists: all ids one after the other, and where each row begins.

        Returns None if the table does not have the column. Raises DataError for a null among the ids.
        """
        import polars as pl

        column = self.column(name)
        if column is None or column.dtype == pl.List(pl.Null):
            return None
        values, offsets = self._exploded(column, name)
        values = values.fill_nan(None) if values.dtype.is_float() else values
        rows = np.repeat(np.arange(len(column), dtype=np.int64), np.diff(offsets))
        if values.null_count():
            raise self.error(int(rows[_first(values.is_null())]), name, "an id in the list is missing (null)")
        return self._as_ids(values, name, rows), offsets

    def _exploded(self, column: pl.Series, name: str) -> tuple[pl.Series, Longs]:
        """Return (values, offsets): all values of a column of lists in one column, and where each list begins in it."""
        import polars as pl

        if isinstance(column.dtype, pl.Array):
            column = column.arr.to_list()
        if not isinstance(column.dtype, pl.List):
            raise DataError(f"{self.name}: column '{name}' holds {column.dtype}; right is a list for each query")
        lengths = column.list.len().fill_null(0).to_numpy()
        return column.filter(pl.Series(lengths > 0)).explode(), offsets_of(lengths)

    def _each(self, column: pl.Series, name: str) -> tuple[pl.Series, Longs]:
        """Return (values, rows): the values of a column of values or of lists, and the row of each."""
        import polars as pl

        if not isinstance(column.dtype, pl.List | pl.Array):
            return column, np.arange(len(column), dtype=np.int64)
        values, offsets = self._exploded(column, name)
        return values, np.repeat(np.arange(len(column), dtype=np.int64), np.diff(offsets))

    def codes(self, column: str, kind: EntityKind, ids: pl.Series, offsets: Longs) -> Ints:
        """Return the code of each id of a kind: int32, -1 where the id is unknown.

        `offsets` says where the ids of each row begin, so that messages can name the row. Raises DataError for an
        unknown id if `refuse_unknown` is True.
        """
        vocabulary: Vocabulary = self.data.vocabulary(kind)
        codes = vocabulary.encode(ids) if len(ids) else np.empty(0, np.int32)
        if self.refuse_unknown and (unknown := codes == PADDING).any():
            place = int(np.argmax(unknown))
            row = int(np.searchsorted(offsets, place, side="right")) - 1
            fault = unknown_id(ids[place], vocabulary, kind, self.data.entities[kind].text)
            raise self.error(row, column, f"{fault}; `unknown='skip'` (--unknown skip) passes over unknown ids")
        return codes

    def times(self) -> Doubles | None:
        """Return the times of the queries in seconds since 1970: float64 [Q], NaN where unknown.

        Returns None if no query states a time.
        """
        column = self.column("time")
        if column is None or column.null_count() == len(column):
            return None
        return self.moments(column, "time")

    def moments(self, values: pl.Series, name: str, rows: Longs | None = None) -> Doubles:
        """Return times as float64, NaN for null; raises DataError for a value that is not a time."""
        import polars as pl

        if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Date, pl.Datetime)):
            raise DataError(f"{self.name}: column '{name}' holds {values.dtype}; right are times")
        seconds = parse_times(values)
        right = "is not a time; right is a date, an ISO 8601 text or seconds since 1970"
        self.wrong(name, seconds.is_null() & values.is_not_null(), values, right, rows)
        return seconds.to_numpy().astype(np.float64)

    def numbers(self, values: pl.Series, name: str, rows: Longs | None = None) -> Doubles:
        """Return numbers as float64, NaN for null; raises DataError for a value that is not a finite number."""
        import polars as pl

        if not (values.dtype.is_numeric() or values.dtype == pl.String):
            raise DataError(f"{self.name}: column '{name}' holds {values.dtype}; right are numbers")
        numbers = values.cast(pl.Float64, strict=False)
        if values.dtype.is_float():
            values, numbers = values.fill_nan(None), numbers.fill_nan(None)
        unusable = (numbers.is_null() & values.is_not_null()) | ~numbers.is_finite()
        self.wrong(name, unusable, values, "is not a number", rows)
        self.wrong(name, numbers.abs() > _LARGEST, values, "is not a number of 32 bits", rows)
        return numbers.to_numpy().astype(np.float64)

    def lengths(self) -> Longs | None:
        """Return the column `n` as int64 [Q], 0 where it is null; None if the table does not have it."""
        column = self.column("n")
        if column is None:
            return None
        numbers = self.numbers(column, "n")
        if (wrong := (numbers < 1) | (numbers != np.floor(numbers)) & ~np.isnan(numbers)).any():
            row = int(np.argmax(wrong))
            raise self.error(row, "n", f"{column[row]!r} is not a number of places; right is a whole number from 1")
        if (wrong := numbers > (most := most_places(self.data))).any():
            row = int(np.argmax(wrong))
            raise self.error(row, "n", f"{column[row]!r} is more than {most:,} places")
        return np.nan_to_num(numbers).astype(np.int64)

    def features(self, field: str, features: Features | None) -> Features | None:
        """Return the stated values of `user_features` or `context`, in columns of the types of `features`.

        Returns None if the data has no such features, or if the table states no value of them.
        """
        start = f"{field}."
        stated = {
            name.removeprefix(start): column
            for name in self.frame.columns
            if name.startswith(start) and (column := self.column(name)) is not None
        }
        if features is None or all(column.null_count() == len(column) for column in stated.values()):
            return None
        labels = {name: column for name, column in stated.items() if name not in features.columns}
        columns = {}
        for name, like in features.columns.items():
            if name == LABELS:
                columns[name] = self._categories(
                    like, {f"{start}{other}": labels[other] for other in labels}, label=True
                )
            elif name not in stated:
                columns[name] = like.take(np.full(len(self.frame), PADDING))
            elif like.type == "category":
                columns[name] = self._categories(like, {f"{start}{name}": stated[name]})
            else:
                columns[name] = FeatureColumn(like.type, self._values(like, stated[name], f"{start}{name}"))
        return Features(columns)

    def _values(self, like: FeatureColumn, values: pl.Series, name: str, rows: Longs | None = None) -> Doubles:
        """Return a column of numbers, flags or times in the type of `like`, NaN for null."""
        import polars as pl

        if like.type == "time":
            numbers = self.moments(values, name, rows)
        elif like.type == "number":
            numbers = self.numbers(values, name, rows)
        else:
            flags = values
            if values.dtype == pl.String:
                flags = values.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
            elif values.dtype != pl.Boolean:
                raise DataError(f"{self.name}: column '{name}' holds {values.dtype}; right is true or false")
            self.wrong(name, flags.is_null() & values.is_not_null(), values, "is neither true nor false", rows)
            numbers = flags.cast(pl.Float64).to_numpy()
        return numbers.astype(like.values.dtype)

    def _categories(
        self, like: FeatureColumn, stated: Mapping[str, pl.Series], *, label: bool = False
    ) -> FeatureColumn:
        """Return the categories that queries state as a column; categories that the data does not have are left out.

        stated: the name in the table -> its column of texts, or lists of texts
        label: True if the categories are labels, "NAME:TEXT" with the name of the column
        """
        import polars as pl

        rows, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        places = pl.Enum(like.categories)
        for name, column in stated.items():
            values, row = self._each(column, name)
            texts = self._as_categories(values, name, column.dtype)
            texts = f"{name.partition('.')[2]}:" + texts if label else texts
            code = texts.cast(places, strict=False).to_physical()
            present = code.is_not_null().to_numpy()
            rows.append(row[present])
            codes.append(code.drop_nulls().to_numpy().astype(np.int64))
        entries = np.concatenate(rows), np.concatenate(codes)
        shape = len(self.frame), len(like.categories)
        matrix = csr_matrix((np.ones(len(entries[0]), np.float32), entries), shape=shape)
        return FeatureColumn("category", matrix, like.categories)

    def _as_categories(self, values: pl.Series, name: str, dtype: pl.DataType) -> pl.Series:
        """Return the values of a column of this type as texts; raises DataError for values that are no texts."""
        import polars as pl

        if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
            raise DataError(f"{self.name}: column '{name}' holds {dtype}; right is text, or lists of texts")
        return values.cast(pl.String)


def _is_condition(name: str) -> bool:
    return name == RULES or name.startswith(FILTERS)


def _without_nulls(rule: Any) -> Any:
    """Return a struct without the fields that are null, which it has for the sake of other structs of its column."""
    return {key: value for key, value in rule.items() if value is not None} if isinstance(rule, dict) else rule


def _first(mask: pl.Series) -> int:
    """Return the place of the first True in a column of flags, at least one of which must be True."""
    return int(np.argmax(mask.to_numpy()))


def _user_features(stated: Features | None, users: Ints, features: Features | None) -> Features | None:
    """Return the features of the queries' users: the values that a query states, else the values in the data.

    stated: the values that the queries state; None if they state no value
    users: int32 [Q], the code of the user of each query, -1 if unknown
    features: the features of all users of the data
    """
    if features is None:
        return None
    return features.take(users) if stated is None else features.take(users).updated(stated)
