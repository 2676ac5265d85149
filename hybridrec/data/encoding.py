"""Encoding of queries in external ids as a batch of arrays: the entry point of every request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.types import PADDING, Doubles


def encode(queries: Sequence[Query], dataset: Dataset) -> QueryBatch:
    """Encode queries in external ids as a batch in the codes of `dataset`; unknown ids are dropped."""
    users = dataset.users.encode([None if query.user is None else str(query.user) for query in queries])
    times = np.array([np.nan if query.time is None else query.time for query in queries], np.float64)
    return QueryBatch(
        users=users,
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
    """Encode the known ids of each row, in order; `times` and `weights` are parallel to the ids of all rows."""
    codes = vocabulary.encode([str(external) for row in rows for external in row])
    offsets = offsets_of(np.array([len(row) for row in rows], np.int64))
    weights32 = None if weights is None else weights.astype(np.float32)
    return Ragged(codes, offsets, len(vocabulary), times, weights32).where(codes != PADDING)


def _beside_items(
    queries: Sequence[Query], name: Literal["item_times", "item_weights"], default: float
) -> Doubles | None:
    """Return a value per item of all queries, `default` for queries that state none; None if no query states any."""
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
