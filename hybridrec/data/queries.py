"""Queries: single ones in external ids, and batches as arrays (`encoding` turns the former into the latter)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

from hybridrec.data.frozen import freeze
from hybridrec.data.ragged import Ragged
from hybridrec.errors import DataError
from hybridrec.types import FIELDS, PADDING, Bools, Doubles, Field, Ints, Sparse

T = TypeVar("T")
NOTHING = "nothing"
"""The segment of queries without any field."""
KNOWN_FIELDS = "known-fields"
"""The name of the segmenter by what queries know, which is used where an experiment declares none."""
ALL = "all"
"""The name of the segment of all queries, which no segmenter may give."""


@dataclass(frozen=True, slots=True)
class Query:
    """One request in external ids; unknown fields stay empty, unknown ids are skipped.

    Ids are text; whole numbers are read as their decimal text.
    """

    user: str | None = None
    items: Sequence[str] = ()
    tags: Sequence[str] = ()
    text: str = ""
    time: float | None = None
    item_times: Sequence[float] | None = None
    item_weights: Sequence[float] | None = None
    disliked: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse a text in place of a list of ids: it would be read letter by letter. Raises DataError."""
        for name in ("items", "tags", "disliked"):
            if isinstance(getattr(self, name), str):
                raise DataError(f"Query.{name} is the text {getattr(self, name)!r}; give a list of ids")


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """Q queries as arrays.

    users: int32[Q], -1 where the user is unknown
    history: Ragged of Q rows of items, oldest first
    tags: csr float32 [Q, number of tags]
    text: Q strings, "" if a query has none
    times: float64[Q], seconds since 1970, or None if no query has a time
    disliked: Ragged of Q rows of items, or None
    user_features: csr float32 [Q, number of user features], or None
    segment: str [Q], the segment of each query by the first segmenter of the experiment, or None for what the query
        knows; read `segments()`

    All arrays are read-only, and matrices have sorted indices without duplicates: pipelines share them.
    """

    users: Ints
    history: Ragged
    tags: Sparse
    text: tuple[str, ...]
    times: Doubles | None = None
    disliked: Ragged | None = None
    user_features: Sparse | None = None
    segment: NDArray[np.str_] | None = None
    _known: dict[Hashable, tuple[object, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze the arrays: every holder of the object shares them."""
        freeze(self)

    def __len__(self) -> int:
        return len(self.users)

    def cached(self, name: Hashable, depends: object, make: Callable[[], T]) -> T:
        """Return the result of `make`, cached by name as long as `depends` is the same object.

        For example, candidates and scores of one model both need the vectors of the queries; `depends` is the array
        it learned.
        """
        known = self._known.get(name)
        if known is None or known[0] is not depends:
            known = self._known[name] = (depends, make())
        return cast(T, known[1])

    def take(self, rows: NDArray[np.integer] | slice) -> QueryBatch:
        """Return the given queries, in the given order."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            users=self.users[index],
            history=self.history.take(index),
            tags=self.tags[index],
            text=tuple(self.text[row] for row in index),
            times=None if self.times is None else self.times[index],
            disliked=None if self.disliked is None else self.disliked.take(index),
            user_features=None if self.user_features is None else self.user_features[index],
            segment=None if self.segment is None else self.segment[index],
        )

    @classmethod
    def stack(cls, batches: Sequence[QueryBatch]) -> QueryBatch:
        """Concatenate batches; a field that only some of them have is padded in the others."""
        times = [np.full(len(b), np.nan) if b.times is None else b.times for b in batches]
        disliked = [b.disliked or Ragged.empty(len(b), b.history.width) for b in batches]
        features = [b.user_features for b in batches if b.user_features is not None]
        return cls(
            users=np.concatenate([b.users for b in batches]),
            history=Ragged.stack([b.history for b in batches]),
            tags=vstack([b.tags for b in batches], format="csr"),
            text=tuple(text for b in batches for text in b.text),
            times=None if all(b.times is None for b in batches) else np.concatenate(times),
            disliked=None if all(b.disliked is None for b in batches) else Ragged.stack(disliked),
            user_features=vstack(features, format="csr") if features else None,
            segment=None
            if all(b.segment is None for b in batches)
            else np.concatenate([b.segments() for b in batches]),
        )

    def has(self, what: Field) -> Bools:
        """Return bool[Q]: true if the query has this field."""
        if what == "user":
            return self.users != PADDING
        if what == "items":
            return self.history.lengths > 0
        if what == "tags":
            return np.diff(self.tags.indptr) > 0
        return np.array([bool(text) for text in self.text], bool)

    def segments(self) -> NDArray[np.str_]:
        """Return str[Q], the segment of each query: by the first segmenter of the experiment, else what it knows.

        Segments partition the queries.
        """
        return self.known_fields() if self.segment is None else self.segment

    def known_fields(self) -> NDArray[np.str_]:
        """Return str[Q], the fields of each query joined by "+", or "nothing" if it has none.

        For example "items+tags", "items", "tags", "title" or "user+items".
        """
        codes = sum(self.has(f).astype(np.int8) << bit for bit, f in enumerate(FIELDS))
        distinct, place = np.unique(codes, return_inverse=True)
        names = ["+".join(f for bit, f in enumerate(FIELDS) if code >> bit & 1) or NOTHING for code in distinct]
        return np.array(names, str)[place]
