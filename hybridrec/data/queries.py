"""What is known when recommending: one query at the edge, a batch of arrays inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

from hybridrec.arrays import FIELDS, PADDING, Bools, Doubles, Field, Ints, Sparse
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.errors import DataError

if TYPE_CHECKING:
    from hybridrec.data.dataset import Dataset
    from hybridrec.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Query:
    """One request in external ids; whatever is not known stays empty. Unknown ids are passed over.

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
        """A single text where a list belongs would be read letter by letter."""
        for name in ("items", "tags", "disliked"):
            if isinstance(getattr(self, name), str):
                raise DataError(f"Query.{name} is the text {getattr(self, name)!r}; give a list of ids")


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """Q queries as arrays.

    users: int32[Q], -1 where the user is unknown
    history: Ragged of Q rows of items, oldest first
    tags: csr float32 [Q, number of tags]
    text: Q strings, "" where there is none
    times: float64[Q], seconds since 1970, or None where nobody tells the time
    disliked: Ragged of Q rows of items, or None
    user_features: csr float32 [Q, number of user features], or None
    """

    users: Ints
    history: Ragged
    tags: Sparse
    text: tuple[str, ...]
    times: Doubles | None = None
    disliked: Ragged | None = None
    user_features: Sparse | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer] | slice) -> QueryBatch:
        """The given queries, in the given order."""
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
        )

    @classmethod
    def stack(cls, batches: Sequence[QueryBatch]) -> QueryBatch:
        """The queries of several batches below one another; what only some of them carry is padded."""
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
        )

    def knows(self, what: Field) -> Bools:
        """bool[Q]: which queries carry this field."""
        if what == "user":
            return self.users != PADDING
        if what == "items":
            return self.history.lengths > 0
        if what == "tags":
            return np.diff(self.tags.indptr) > 0
        return np.array([bool(text) for text in self.text], bool)

    def segments(self) -> NDArray[np.str_]:
        """str[Q]: the segment of each query, the fields it carries joined by "+", "nothing" if none.

        Segments partition the queries: "items+tags", "items", "tags", "title", "user+items", ...
        """
        names = np.array(
            ["+".join(f for bit, f in enumerate(FIELDS) if code >> bit & 1) or "nothing" for code in range(16)]
        )
        codes = sum(self.knows(f).astype(np.int8) << bit for bit, f in enumerate(FIELDS))
        return names[codes]


def encode(queries: Sequence[Query], dataset: Dataset) -> QueryBatch:
    """Queries in external ids to a batch in the codes of `dataset`; ids it does not know are dropped."""
    nameless = np.array([query.user is None for query in queries], bool)
    users = np.where(nameless, PADDING, dataset.users.encode([query.user or "" for query in queries]))
    times = np.array([np.nan if query.time is None else query.time for query in queries], np.float64)
    return QueryBatch(
        users=users.astype(np.int32),
        history=_encode_rows(
            [query.items for query in queries],
            dataset.items,
            times=_beside_items(queries, "item_times", np.nan),
            weights=_beside_items(queries, "item_weights", 1.0),
        ),
        tags=_encode_rows([query.tags for query in queries], dataset.tags).matrix(binary=True),
        text=tuple(query.text.strip() for query in queries),
        times=None if np.isnan(times).all() else times,
        disliked=_encode_rows([query.disliked for query in queries], dataset.items)
        if any(query.disliked for query in queries)
        else None,
        user_features=None if dataset.user_features is None else dataset.user_features.rows(users),
    )


def _encode_rows(
    rows: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    times: Doubles | None = None,
    weights: Doubles | None = None,
) -> Ragged:
    """The known ids of each row, in order; `times` and `weights` are parallel to all ids of all rows."""
    codes = vocabulary.encode([str(external) for row in rows for external in row])
    offsets = offsets_of(np.array([len(row) for row in rows], np.int64))
    weights32 = None if weights is None else weights.astype(np.float32)
    return Ragged(codes, offsets, len(vocabulary), times, weights32).where(codes != PADDING)


def _beside_items(
    queries: Sequence[Query], name: Literal["item_times", "item_weights"], default: float
) -> Doubles | None:
    """Values that stand beside the items of all queries, `default` where a query states none; None if none does."""
    stated: list[Sequence[float] | None] = [getattr(query, name) for query in queries]
    if all(values is None for values in stated):
        return None
    parts = []
    for place, (query, values) in enumerate(zip(queries, stated, strict=True)):
        if values is not None and len(values) != len(query.items):
            raise DataError(
                f"query {place}: {name} has {len(values)} values for {len(query.items)} items; give one for each"
            )
        parts.append(np.full(len(query.items), default) if values is None else np.asarray(values, np.float64))
    return np.concatenate(parts)
