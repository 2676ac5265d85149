"""Encoding of queries in external ids as a batch of arrays: the entry point of every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.features import Features, FeatureValue
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, did_you_mean
from hybridrec.types import PADDING, Doubles, EntityKind, Ints, Sparse

TAGS = "tags"
"""The kind that `Query.tags` is short for."""
_LARGEST = float(np.finfo(np.float32).max)


def encode(queries: Sequence[Query], dataset: Dataset, ids: tuple[str, ...] | None = None) -> QueryBatch:
    """Encode queries in external ids as a batch in the codes of `dataset`; unknown ids are dropped.

    ids: the names of the requests, None for a batch without names

    Raises DataError for a kind, a user feature or a column of the request that the data does not have.
    """
    users = dataset.users.vocabulary.encode([query.user for query in queries])
    times = np.array([np.nan if query.time is None else query.time for query in queries], np.float64)
    history = _encode_rows(
        [query.items for query in queries],
        dataset.items.vocabulary,
        times=_beside_items(queries, "item_times", np.nan),
        weights=_beside_items(queries, "item_weights", 1.0),
    )
    return QueryBatch(
        users=users,
        history=history,
        entities=dataset.query_has(_stated(queries, dataset), history),
        text=tuple(query.text.strip() for query in queries),
        times=None if np.isnan(times).all() else times,
        disliked=_encode_rows([query.disliked for query in queries], dataset.items.vocabulary)
        if any(query.disliked for query in queries)
        else None,
        user_features=_user_features(queries, users, dataset.users.features),
        context=_columns([query.context for query in queries], dataset.interactions.context, "context"),
        derived=dataset.through_items,
        ids=ids,
    )


def with_recent(batch: QueryBatch, queries: Sequence[Query], dataset: Dataset) -> QueryBatch:
    """Return encoded queries with the known items of `Query.recent` after those of their histories.

    What the data was refreshed with is in the history already: an item of the same time is not repeated. Entities
    through items follow the longer history. Raises DataError for another number of times than of items.
    """
    if any(query.recent_times is not None for query in queries):
        times = np.concatenate([_recent_times(place, query) for place, query in enumerate(queries)])
    else:
        times = None
    recent = _encode_rows([query.recent for query in queries], dataset.items.vocabulary, times)
    history = batch.history.extended(_without_known(recent, batch.history))
    entities = dict(batch.entities)
    for kind in dataset.through_items:
        more = dataset.through(history, kind) - dataset.through(batch.history, kind)
        entities[kind] = (entities[kind] + more).tocsr()
        entities[kind].eliminate_zeros()
    return replace(batch, history=history, entities=entities)


def _without_known(recent: Ragged, history: Ragged) -> Ragged:
    """Return rows without the ids that the same row of the history has at the same time; unknown times differ."""
    if recent.times is None or history.times is None:
        return recent
    added = np.rec.fromarrays([recent.rows.astype(np.int64) * recent.width + recent.ids, recent.times])
    held = np.rec.fromarrays([history.rows.astype(np.int64) * history.width + history.ids, history.times])
    return recent.where(~np.isin(added, held))


def _recent_times(place: int, query: Query) -> Doubles:
    """Return the time of each recent item of a query, NaN if the query states none."""
    if query.recent_times is None:
        return np.full(len(query.recent), np.nan)
    if len(query.recent_times) != len(query.recent):
        raise DataError(
            f"query {place}: recent_times has {len(query.recent_times)} values for {len(query.recent)} items; give one "
            "for each"
        )
    return np.asarray(query.recent_times, np.float64)


def _stated(queries: Sequence[Query], dataset: Dataset) -> dict[EntityKind, Sparse]:
    """Return the entities that queries state: kind -> csr float32 [Q, entities], for kinds that any query states."""
    asked = {kind for query in queries for kind in query.entities} | (
        {TAGS} if any(query.tags for query in queries) else set()
    )
    for kind in sorted(asked - set(dataset.kinds)):
        if kind != TAGS or any(TAGS in query.entities for query in queries):
            raise DataError(f"query: unknown kind '{kind}' in `entities`; {did_you_mean(kind, dataset.kinds)}")
    return {
        kind: _encode_rows(
            [[*(query.tags if kind == TAGS else ()), *query.entities.get(kind, ())] for query in queries],
            dataset.vocabulary(kind),
        ).matrix(binary=True)
        for kind in asked & set(dataset.kinds)
    }


def _user_features(queries: Sequence[Query], users: Ints, features: Features | None) -> Features | None:
    """Return the features of the queries' users: the values that a query states, else the values in the data.

    The result is None if the data has no features of users.
    """
    stated = _columns([query.user_features for query in queries], features, "user_features")
    if features is None or stated is None:
        return None if features is None else features.take(users)
    return features.take(users).updated(stated)


def _columns(rows: Sequence[Mapping[str, FeatureValue]], columns: Features | None, name: str) -> Features | None:
    """Encode the values that queries state, a mapping in `rows` for each query, with the names and types of `columns`.

    `columns` are the columns of this field in the data, None if it has none. The result is None if no query states a
    value. Raises DataError if a query states a value that the data does not have; `name` is the field of `Query` that
    the message names.
    """
    if not any(rows):
        return None
    if columns is None:
        raise DataError(f"query: `{name}` is given, but the data has no such columns")
    return columns.encode(rows, f"query: {name}")


def _encode_rows(
    rows: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    times: Doubles | None = None,
    weights: Doubles | None = None,
) -> Ragged:
    """Return the codes of the known ids in each row, in order; unknown ids are left out.

    `times` and `weights` have a value for every given id, known or not, row after row.
    """
    codes = vocabulary.encode([external for row in rows for external in row])
    offsets = offsets_of(np.array([len(row) for row in rows], np.int64))
    weights32 = None if weights is None else weights.astype(np.float32)
    return Ragged(codes, offsets, len(vocabulary), times, weights32).where(codes != PADDING)


def _beside_items(
    queries: Sequence[Query], name: Literal["item_times", "item_weights"], default: float
) -> Doubles | None:
    """Return the field `name` of all queries as one float64 array, with a value for each item of each query.

    The items of a query that does not state the field get `default`. The result is None if no query states it. Raises
    DataError if a query states another number of values than it has items.
    """
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
        if name == "item_weights" and not (np.abs(parts[-1]) <= _LARGEST).all():
            raise DataError(f"query {place}: item_weights has a value that is not a finite number of 32 bits")
    return np.concatenate(parts)
