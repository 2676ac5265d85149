"""What is known when recommending: one query at the edge, a batch of arrays inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from hybridrec.arrays import FIELDS, PADDING, Bools, Doubles, Field, Ints, Sparse
from hybridrec.data.ragged import Ragged, offsets_of

if TYPE_CHECKING:
    from hybridrec.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Query:
    """One request in external ids; whatever is not known stays empty. Unknown ids are passed over."""

    user: str | None = None
    items: Sequence[str] = ()
    tags: Sequence[str] = ()
    text: str = ""
    time: float | None = None
    item_times: Sequence[float] | None = None
    item_weights: Sequence[float] | None = None
    disliked: Sequence[str] = ()


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
    items = [_Encoded.of(q, dataset) for q in queries]
    known_users = dataset.users.encode([q.user or "" for q in queries])
    nameless = np.array([q.user is None for q in queries], bool)
    users = np.where(nameless, PADDING, known_users).astype(np.int32)
    times = np.array([np.nan if q.time is None else q.time for q in queries], np.float64)
    with_weights = any(q.item_weights is not None for q in queries)
    with_times = any(q.item_times is not None for q in queries)
    history = replace(
        Ragged.from_rows([e.items for e in items], len(dataset.items)),
        times=np.concatenate([e.times for e in items]) if with_times else None,
        weights=np.concatenate([e.weights for e in items]).astype(np.float32) if with_weights else None,
    )
    return QueryBatch(
        users=users,
        history=history,
        tags=_rows_to_csr([e.tags for e in items], len(dataset.tags)),
        text=tuple(q.text.strip() for q in queries),
        times=None if np.isnan(times).all() else times,
        disliked=Ragged.from_rows([e.disliked for e in items], len(dataset.items))
        if any(q.disliked for q in queries)
        else None,
        user_features=None if dataset.user_features is None else dataset.user_features.rows(users),
    )


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The lists of one query as codes, unknown ids taken out."""

    items: Ints
    tags: Ints
    disliked: Ints
    times: Doubles = field(default_factory=lambda: np.empty(0))
    weights: Doubles = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, query: Query, dataset: Dataset) -> _Encoded:
        items = dataset.items.encode(query.items)
        known = items != PADDING
        tags = np.unique(dataset.tags.encode(query.tags))
        disliked = dataset.items.encode(query.disliked)
        return cls(
            items=items[known],
            tags=tags[tags != PADDING],
            disliked=disliked[disliked != PADDING],
            times=np.asarray(query.item_times if query.item_times is not None else np.full(len(items), np.nan))[known],
            weights=np.asarray(query.item_weights if query.item_weights is not None else np.ones(len(items)))[known],
        )


def _rows_to_csr(rows: list[Ints], width: int) -> Sparse:
    indices = np.concatenate(rows) if rows else np.empty(0, np.int32)
    offsets = offsets_of(np.array([len(row) for row in rows], np.int64))
    return csr_matrix((np.ones(len(indices), np.float32), indices, offsets), shape=(len(rows), width))
