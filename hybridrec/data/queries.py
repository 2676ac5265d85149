"""Queries in external ids, and batches of queries as arrays; `encoding` turns queries into a batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from hybridrec.data.features import Features, FeatureValue
from hybridrec.data.frozen import freeze, frozen_csr
from hybridrec.data.ragged import Ragged
from hybridrec.errors import DataError
from hybridrec.types import EVERY_KIND, ITEMS, PADDING, Bools, Doubles, EntityKind, Field, Ints, Sparse

T = TypeVar("T")
NOTHING = "nothing"
"""The segment of queries without any field."""
KNOWN_FIELDS = "known-fields"
"""The name of the segmenter by the fields that queries have; an experiment that declares no segmenter uses it."""
_KEEPS = ("QueryBatch", "keeps scores")
"""The name of the entry in `_cache` which says that models may keep their scores with the queries."""
ALL = "all"
"""The name of the segment of all queries, which no segmenter may give."""


@dataclass(frozen=True, slots=True)
class Query:
    """One request in external ids; unknown fields stay empty.

    Ids are text; whole numbers, also of the type float, are read as their decimal text.

    user: the id of the user. A query that states none of `items`, `tags`, `entities` and `text` gets all of them from
        the data about the user; a query that states any of them gets none of them from the data
    items: the history, oldest first; item_times (seconds since 1970) and item_weights have a value for each item
    entities: kind -> ids, entities of kinds other than items and tags ({"artists": ["Ella"]})
    user_features: name -> value, features of the user that replace the values in the data
    context: name -> value, columns of the request (device, shop, budget), as the interactions of the data have them
    """

    user: str | None = None
    items: Sequence[str] = ()
    tags: Sequence[str] = ()
    text: str = ""
    time: float | None = None
    item_times: Sequence[float] | None = None
    item_weights: Sequence[float] | None = None
    disliked: Sequence[str] = ()
    entities: Mapping[EntityKind, Sequence[str]] = field(default_factory=dict)
    user_features: Mapping[str, FeatureValue] = field(default_factory=dict)
    context: Mapping[str, FeatureValue] = field(default_factory=dict)
    id: str | None = None
    """Name of the request, by default a fresh one. A pipeline with a policy draws the same slate for the same name."""
    recent: Sequence[str] = ()
    """Items that were added to the history since: they follow the items that are stated, or those of the user in the
    data, but for those that the history has at the same time."""
    recent_times: Sequence[float] | None = None
    """A time for each of `recent`, seconds since 1970."""

    def __post_init__(self) -> None:
        """Turn all ids into text.

        Raises DataError for a value that is not an id, and for a text in place of a list of ids, which would be read
        letter by letter.
        """
        if self.user is not None:
            object.__setattr__(self, "user", _id(self.user, "user"))
        for name in ("items", "tags", "disliked", "recent"):
            object.__setattr__(self, name, _ids(getattr(self, name), name))
        entities = {kind: _ids(ids, f"entities['{kind}']") for kind, ids in self.entities.items()}
        object.__setattr__(self, "entities", entities)


def _ids(values: Sequence[object], name: str) -> Sequence[str]:
    """Return a list of ids as text; raises DataError for a text instead of a list, or a value that is not an id."""
    if isinstance(values, str):
        raise DataError(f"Query.{name} is the text {values!r}; give a list of ids")
    if isinstance(values, list | tuple) and all(type(value) is str for value in values):
        return values
    return [_id(value, name) for value in values]


def _id(value: object, name: str) -> str:
    """Return an id as text; raises DataError for a value that is neither text nor a whole number."""
    if isinstance(value, str):
        return str(value)
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, int | float) and not isinstance(number, bool) and number == number // 1:
        return str(int(number))
    raise DataError(f"Query.{name}: {value!r} is not an id; ids are text or whole numbers")


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """Q queries as arrays.

    users: int32[Q], -1 where the user is unknown
    history: Ragged of Q rows of items, oldest first
    entities: kind -> csr float32 [Q, number of entities], for every kind of the data beside users and items
    text: Q strings, "" if a query has none
    times: float64[Q], seconds since 1970, or None if no query has a time
    disliked: Ragged of Q rows of items, or None
    user_features: typed columns with a row for each query, or None
    context: typed columns of the requests with a row for each query, or None
    derived: the kinds in `entities` that follow from the history; `known_fields()` leaves them out
    ids: Q names of requests, which decide the random draws of policies; None if they have no names
    segment: str [Q], the segment of each query by the first segmenter of the experiment, or None if the experiment
        declares no segmenter; `segments()` returns the segments in both cases

    All arrays are read-only, and matrices have sorted indices without duplicates: pipelines share them.
    """

    users: Ints
    history: Ragged
    entities: dict[EntityKind, Sparse]
    text: tuple[str, ...]
    times: Doubles | None = None
    disliked: Ragged | None = None
    user_features: Features | None = None
    context: Features | None = None
    derived: tuple[EntityKind, ...] = ()
    ids: tuple[str, ...] | None = None
    segment: NDArray[np.str_] | None = None
    _cache: dict[Hashable, tuple[object, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that a query may have, in the order in which `known_fields` joins them."""
        return ("user", ITEMS, *self.entities, "title")

    def width(self, kind: EntityKind) -> int:
        """Return the number of entities of a kind in the data, 0 for a kind that the data does not have."""
        if kind == ITEMS:
            return self.history.width
        return int(self.entities[kind].shape[1]) if kind in self.entities else 0

    def matrix(self, kind: EntityKind) -> Sparse:
        """Return the entities of a kind that the queries have: csr float32 [Q, width].

        For the kind "items", of which the matrix is made once and cached, a value is 1 for each distinct item of the
        history. For a kind that the data does not have, the matrix has no columns.
        """
        if kind == ITEMS:
            return self.cached(
                ("QueryBatch", ITEMS), self.history, lambda: frozen_csr(self.history.matrix(binary=True))
            )
        return self.entities[kind] if kind in self.entities else csr_matrix((len(self), 0), dtype=np.float32)

    def cached(self, name: Hashable, depends: object, make: Callable[[], T]) -> T:
        """Return the result of `make`, cached by name as long as `depends` is the same object.

        For example, candidates and scores of one model both need the vectors of the queries; `depends` is then the
        array that the model learned.
        """
        entry = self._cache.get(name)
        if entry is None or entry[0] is not depends:
            entry = self._cache[name] = (depends, make())
        return cast(T, entry[1])

    @property
    def keeps_scores(self) -> bool:
        """True after `keep_scores`; batches that `take` returns do not keep scores."""
        return _KEEPS in self._cache

    def keep_scores(self) -> None:
        """Make dense models keep their scores of these queries, so that `score` need not compute them again.

        Call it only if no model learns anything while these queries are used.
        """
        self._cache[_KEEPS] = (None, True)

    def take(self, rows: NDArray[np.integer] | slice) -> QueryBatch:
        """Return the given queries, in the given order."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            users=self.users[index],
            history=self.history.take(index),
            entities={kind: matrix[index] for kind, matrix in self.entities.items()},
            text=tuple(self.text[row] for row in index),
            times=None if self.times is None else self.times[index],
            disliked=None if self.disliked is None else self.disliked.take(index),
            user_features=None if self.user_features is None else self.user_features.take(index),
            context=None if self.context is None else self.context.take(index),
            ids=None if self.ids is None else tuple(self.ids[row] for row in index),
            segment=None if self.segment is None else self.segment[index],
        )

    @classmethod
    def stack(cls, batches: Sequence[QueryBatch]) -> QueryBatch:
        """Concatenate batches.

        A field that only some batches have is padded in the others. But `ids` are kept only if all batches have them.
        """
        times = [np.full(len(b), np.nan) if b.times is None else b.times for b in batches]
        disliked = [b.disliked or Ragged.empty(len(b), b.history.width) for b in batches]
        return cls(
            users=np.concatenate([b.users for b in batches]),
            history=Ragged.stack([b.history for b in batches]),
            entities={kind: vstack([b.entities[kind] for b in batches], format="csr") for kind in batches[0].entities},
            text=tuple(text for b in batches for text in b.text),
            times=None if all(b.times is None for b in batches) else np.concatenate(times),
            disliked=None if all(b.disliked is None for b in batches) else Ragged.stack(disliked),
            user_features=_stacked([b.user_features for b in batches], [len(b) for b in batches]),
            context=_stacked([b.context for b in batches], [len(b) for b in batches]),
            derived=batches[0].derived,
            ids=tuple(name for b in batches for name in b.ids or ())
            if all(b.ids is not None for b in batches)
            else None,
            segment=None
            if all(b.segment is None for b in batches)
            else np.concatenate([b.segments() for b in batches]),
        )

    def has(self, name: Field) -> Bools:
        """Return bool[Q]: true if the query has this field.

        The field `EVERY_KIND` means entities of any kind, items included.
        """
        if name == "user":
            return self.users != PADDING
        if name == ITEMS:
            return self.history.lengths > 0
        if name == "title":
            return np.array([bool(text) for text in self.text], bool)
        if name == EVERY_KIND:
            return self.has_any((ITEMS, *self.entities))
        if name not in self.entities:
            return np.zeros(len(self), bool)
        return np.diff(self.entities[name].indptr) > 0

    def has_any(self, fields: Iterable[Field]) -> Bools:
        """Return bool[Q]: true if the query has at least one of these fields."""
        has_any = np.zeros(len(self), bool)
        for name in fields:
            has_any |= self.has(name)
        return has_any

    def segments(self) -> NDArray[np.str_]:
        """Return the segment of each query: str[Q], named by the first segmenter of the experiment.

        An experiment without a segmenter has the segments of `known_fields`. Segments partition the queries.
        """
        return self.known_fields() if self.segment is None else self.segment

    def known_fields(self) -> NDArray[np.str_]:
        """Return the names of the fields that each query has, joined by "+": str[Q], "nothing" if it has none.

        For example "items+tags", "items", "tags", "title" or "user+items". Kinds in `derived` are left out.
        """
        fields = [name for name in self.fields if name not in self.derived]
        codes = sum(self.has(name).astype(np.int64) << bit for bit, name in enumerate(fields))
        distinct, place = np.unique(codes, return_inverse=True)
        names = ["+".join(f for bit, f in enumerate(fields) if code >> bit & 1) or NOTHING for code in distinct]
        return np.array(names, str)[place]


def _stacked(parts: Sequence[Features | None], lengths: Sequence[int]) -> Features | None:
    """Concatenate the rows of features; a part that is None becomes rows of unknown values, of the given length.

    The result is None if all parts are None.
    """
    stated = next((features for features in parts if features is not None), None)
    if stated is None:
        return None
    unknown = [stated.take(np.full(length, PADDING)) for length in lengths]
    return Features.stack([row if features is None else features for features, row in zip(parts, unknown, strict=True)])
