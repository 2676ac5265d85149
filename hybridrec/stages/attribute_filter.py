"""Filter `attribute`: a condition in SQL on attributes of entities and columns of the request."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset
from hybridrec.data.features import LABELS, FeatureColumn
from hybridrec.data.queries import QueryBatch
from hybridrec.data.sparse import pack_csr, unpack_csr
from hybridrec.errors import DataError, did_you_mean
from hybridrec.plugin import Options
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.filter import Filter
from hybridrec.types import ITEMS, Bools, State, Target

if TYPE_CHECKING:
    import polars as pl

REQUEST = "request"
"""The prefix of columns of the request in a condition, as in `request.budget`."""


def condition(text: str) -> str:
    """Return the text of a condition unchanged; raises ValueError if Polars cannot read it or it holds a subquery."""
    _parsed(text)
    return text


def _parsed(text: str) -> pl.Expr:
    import polars as pl

    # A subquery could read files, which Polars opens as it parses: it is refused before that.
    if re.search(r"\bselect\b", re.sub(r"'[^']*'", "", text), re.IGNORECASE):
        raise ValueError("a condition cannot hold a subquery; compare columns, such as price <= request.budget")
    try:
        return pl.sql_expr(text)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"not a condition in SQL: {error}") from None


class AttributeOptions(Options):
    """Options of the filter `attribute`: a condition, and the kind of entities that may be shown only if it is true."""

    where: Annotated[str, AfterValidator(condition)] = Field(examples=["price <= request.budget"])
    """The condition under which an id may be shown: SQL on its attributes, and on columns of the request under
    `request.NAME`."""
    target: Target = ITEMS
    """The kind of entities whose attributes are compared: `items`, or another one that is recommended."""
    unknown: Literal["exclude", "allow"] = "exclude"
    """`exclude` or `allow` ids for which the condition is neither true nor false, because an attribute of theirs or a
    column of the request is unknown."""


class AttributeFilter(Filter):
    """An id may be shown only if a condition is true for it: `genre != 'horror' and price <= request.budget`.

    The condition is an expression in the SQL of Polars: comparisons, `and`, `or`, `not`, `in`, `between`, `like`, `is
    null`, `coalesce`, `case`, arithmetic, `date '2024-01-01'`, and `array_contains(genres, 'horror')` for columns with
    several values. Its columns are the features of the entities, their `id`, their `time`, and for items also the other
    kinds of entities that items have. `request.NAME` is a column of the request, `request.time` its time. The condition
    is computed once for all requests of a batch that have the same values in the columns that it reads.
    """

    name = "attribute"
    Config = AttributeOptions
    config: AttributeOptions

    _columns: dict[str, FeatureColumn]
    """The attributes that the condition names."""
    _lists: frozenset[str]
    """The names of those attributes that are kinds of entities, such as `tags`.

    An item without tags has an empty list of them, which does not count as unknown.
    """
    _size: int
    _request: dict[str, FeatureColumn]
    """The columns of the request that the condition names, without rows."""

    def fit(self, data: Dataset) -> Self:
        """Take from the data the attributes that the condition names; return self.

        Raises DataError for unknown attributes, and for a condition whose types do not fit.
        """
        target = self.config.target
        if target not in data.entities:
            raise DataError(f"the data has no {target}: {did_you_mean(target, data.entities)}")
        named = [name for name in dict.fromkeys(self._expression.meta.root_names()) if name != REQUEST]
        columns, kinds = _attributes(data, target)
        for name in named:
            if name not in columns:
                raise DataError(f"where: unknown column '{name}': {did_you_mean(name, columns)}")
        self._columns, self._size = {name: columns[name] for name in named}, data.size(target)
        self._lists = frozenset(kinds).intersection(named)
        asked = _request_columns(data)
        self._request = {}
        if REQUEST in self._expression.meta.root_names():
            self._request = asked
            self._require_types()
            self._request = {name: column for name, column in asked.items() if self._reads(name)}
        self._require_types()
        return self

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude the ids for which the condition is not true; requests with the same values are one group."""
        if target != self.config.target:
            return Exclude()
        if not self._request:
            return Exclude(ids=self._everyone)
        asked = _frame_of_requests(queries, self._request)
        places: dict[Hashable, int] = {}
        group = [places.setdefault(_hashable(row), len(places)) for row in asked.rows()]
        first = np.unique(np.array(group, np.int64), return_index=True)[1]
        barred = [self._barred(asked.row(int(row), named=True)) for row in first]
        groups = np.stack(barred) if barred else np.zeros((0, self._size), bool)
        return Exclude(groups=groups, group=np.array(group, np.int32))

    def state(self) -> State:
        """Return all columns that the condition names: attributes of the entities, and columns of the request."""
        lists = {"lists": np.array(sorted(self._lists), np.str_), "size": np.array(self._size)}
        return {**_packed("column", self._columns), **_packed("request", self._request), **lists}

    def restore(self, state: State) -> Self:
        """Take the attributes and the columns of the request from `state`; return self."""
        self._columns, self._request = _unpacked("column", state), _unpacked("request", state)
        self._lists, self._size = frozenset(state["lists"].tolist()), int(state["size"])
        return self

    @cached_property
    def _expression(self) -> pl.Expr:
        return _parsed(self.config.where)

    @cached_property
    def _frame(self) -> pl.DataFrame:
        """The attributes as a frame, made at the first use; threads that make it at the same time make equal frames."""
        import polars as pl

        columns = {name: _series(column, name in self._lists) for name, column in self._columns.items()}
        return pl.DataFrame(columns or {"": np.zeros(self._size, np.int8)})

    @cached_property
    def _everyone(self) -> Bools:
        """The mask of ids that are excluded for every request: bool[N]."""
        return self._barred({})

    def _barred(self, request: Mapping[str, Any]) -> Bools:
        """Return bool[N]: true for ids that are excluded for a request; `request` has its values by column."""
        import polars as pl

        frame = self._frame
        if self._request:
            literals = [
                pl.lit(request[name], dtype=_type(column)).alias(name) for name, column in self._request.items()
            ]
            frame = frame.with_columns(pl.struct(literals).alias(REQUEST))
        try:
            may = frame.select(self._expression.alias("may")).to_series().fill_null(self.config.unknown == "allow")
        except pl.exceptions.PolarsError as error:  # by the values of this request alone
            raise self._failed(error) from None
        return np.array(np.broadcast_to(~may.to_numpy(), self._size))

    def _require_types(self) -> None:
        """Raise DataError if the condition cannot be computed, or if its result is not true or false.

        It is tested for a request whose columns are all unknown. Some conditions fail only for certain values of a
        request; that error is raised by `exclude`.
        """
        import polars as pl

        try:
            kind = self._dry(self._frame, self._request)
        except pl.exceptions.StructFieldNotFoundError as error:
            name = str(error).split()[0].strip("\"'")
            raise DataError(f"where: unknown column '{REQUEST}.{name}': {did_you_mean(name, self._request)}") from None
        except pl.exceptions.PolarsError as error:
            raise self._failed(error) from None
        if kind != pl.Boolean:
            raise DataError(f"where: gives {kind}, not true or false: {self.config.where}")

    def _failed(self, error: Exception) -> DataError:
        """Return the error for a condition that cannot be computed; its message has the types of the columns."""
        reason = " ".join(str(error).partition("\n")[0].split())
        columns = ", ".join(f"{name} {_shown(column)}" for name, column in self._columns.items())
        return DataError(f"where: cannot be computed: {reason} ({columns})")

    def _reads(self, name: str) -> bool:
        """Return True if the condition cannot be computed for requests that lack this column."""
        import polars as pl

        try:
            self._dry(self._frame.head(1), {other: type_ for other, type_ in self._request.items() if other != name})
        except pl.exceptions.PolarsError:
            return True
        return False

    def _dry(self, frame: pl.DataFrame, request: Mapping[str, FeatureColumn]) -> pl.DataType:
        """Compute the condition for the entities of `frame` as a test, and return the type of its result.

        The request of the test has the columns `request`, all with unknown values.
        """
        import polars as pl

        if request:
            fields = [pl.lit(None, dtype=_type(column)).alias(name) for name, column in request.items()]
            frame = frame.with_columns(pl.struct(fields).alias(REQUEST))
        return frame.select(self._expression.alias("may")).schema["may"]


def _attributes(data: Dataset, target: Target) -> tuple[dict[str, FeatureColumn], set[str]]:
    """Return (columns, kinds) for the entities of a target.

    `columns` has by name all that a condition may read: `id`, `time`, for items one column per other kind of entities
    (such as `tags`), and the features. A feature replaces a column of the same name. `kinds` has the names of the
    columns that are such other kinds.
    """
    entities = data.entities[target]
    ids = entities.vocabulary.ids.to_list()
    own = csr_matrix(
        (np.ones(len(ids), np.float32), np.arange(len(ids)), np.arange(len(ids) + 1)), shape=(len(ids),) * 2
    )
    columns = {"id": FeatureColumn("category", own, tuple(ids))}
    if entities.times is not None:
        columns["time"] = FeatureColumn("time", entities.times)
    kinds = set(data.kinds) if target == ITEMS else set()
    for kind in kinds:
        columns[kind] = FeatureColumn("category", data.item_matrix(kind), tuple(data.vocabulary(kind).ids.to_list()))
    described = {} if entities.features is None else entities.features.columns
    features = {name: column for name, column in described.items() if name != LABELS}
    return {**columns, **features}, kinds - features.keys()


def _request_columns(data: Dataset) -> dict[str, FeatureColumn]:
    """Return the columns that requests may have: the columns of the interactions' context, and `time`.

    The columns have no rows; only their names and types are used.
    """
    context = data.interactions.context
    stated = {} if context is None else {name: column.take(slice(0, 0)) for name, column in context.columns.items()}
    return {"time": FeatureColumn("time", np.empty(0, np.float64)), **stated}


def _frame_of_requests(queries: QueryBatch, columns: Mapping[str, FeatureColumn]) -> pl.DataFrame:
    """Return the values of Q requests in these columns as a frame of Q rows; unknown values are null."""
    import polars as pl

    given = {} if queries.context is None else queries.context.columns
    if "time" in columns and "time" not in given and queries.times is not None:
        given = {**given, "time": FeatureColumn("time", queries.times)}
    return pl.DataFrame(
        {
            name: _series(given[name], None) if name in given else pl.Series([None] * len(queries), dtype=_type(column))
            for name, column in columns.items()
        }
    )


def _series(column: FeatureColumn, is_list: bool | None = False) -> pl.Series:
    """Return a feature column as a polars column, null where it is unknown.

    For a column of categories, the result depends on `is_list`:

    - False: texts, or lists of texts if any entity has several categories;
    - True: lists of texts, empty instead of null for an entity without a category;
    - None: texts; an entity with several categories has the text of the first.
    """
    import polars as pl

    if column.type == "category":
        names = np.array([*column.categories, None], object)
        if is_list is None or not (is_list or (np.diff(column.values.indptr) > 1).any()):
            return pl.Series(names[column.single()].tolist(), dtype=pl.String)
        texts, ends = names[column.values.indices].tolist(), column.values.indptr.tolist()
        rows = [texts[start:stop] if is_list or stop > start else None for start, stop in pairwise(ends)]
        return pl.Series(rows, dtype=pl.List(pl.String))
    unknown = np.isnan(column.values)
    values = np.where(unknown, 0, column.values)
    series = {
        "flag": lambda: pl.Series(values == 1),
        "time": lambda: pl.Series((values * 1000).round().astype(np.int64)).cast(pl.Datetime("ms")),
        "number": lambda: pl.Series(values.astype(np.float32)),
    }[column.type]()
    return pl.select(pl.when(pl.lit(pl.Series(~unknown))).then(pl.lit(series))).to_series()


def _type(column: FeatureColumn) -> pl.DataType:
    """Return the polars type of a column of the request; a category is a text."""
    import polars as pl

    types = {"category": pl.String(), "flag": pl.Boolean(), "time": pl.Datetime("ms"), "number": pl.Float32()}
    return types[column.type]


def _hashable(row: tuple[Any, ...]) -> Hashable:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def _shown(column: FeatureColumn) -> str:
    """Return the type of a column for an error message; for a list, also the function that reads it in conditions."""
    several = column.type == "category" and bool((np.diff(column.values.indptr) > 1).any())
    return "list: array_contains(NAME, 'value')" if several else column.type


def _packed(place: str, columns: Mapping[str, FeatureColumn]) -> State:
    """Return columns as named arrays whose names begin with `place`."""
    state: State = {f"{place}s": np.array(list(columns), np.str_)}
    state[f"{place}_types"] = np.array([column.type for column in columns.values()], np.str_)
    for name, column in columns.items():
        if column.type == "category":
            state |= pack_csr(column.values, f"{place}.{name}")
            state[f"{place}.{name}.categories"] = np.array(column.categories, np.str_)
        else:
            state[f"{place}.{name}"] = column.values
    return state


def _unpacked(place: str, state: State) -> dict[str, FeatureColumn]:
    """Return the columns that `_packed` turned into arrays under this `place`."""
    columns: dict[str, FeatureColumn] = {}
    for name, kind in zip(state[f"{place}s"].tolist(), state[f"{place}_types"].tolist(), strict=True):
        key = f"{place}.{name}"
        if kind == "category":
            categories = tuple(state[f"{key}.categories"].tolist())
            columns[name] = FeatureColumn(kind, unpack_csr(state, key), categories)
        else:
            columns[name] = FeatureColumn(kind, state[key])
    return columns
