"""Nearest neighbours of an entity, of words or of a query, in the space of a fitted component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.text.words import tokens
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import ConfigError, DataError, did_you_mean
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.component import Component, Generator, VectorModel
from hybridrec.stages.embedding import Embedding, positions
from hybridrec.types import ITEMS, PADDING, USERS, Floats, Ints, Longs, Target

if TYPE_CHECKING:
    from hybridrec.serving.recommender import Recommender

TEXT = "text"
"""The value of `by` for free words."""
WORDS, FEATURES = "words", "features"
"""Kinds of which a component may have vectors, though they are not kinds of entities in the data."""
_USERS = 4_096
"""Number of users whose vectors are computed at a time."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour, with its similarity and its frequency in the data.

    similarity: cosine of the vectors, higher is nearer; for a component without vectors, its own score
    count: number of training users who have the entity, or for a user the number of its items; None if unknown
    position: rank by count among all entities of the kind, 1 for the most frequent; None if counts are unknown
    """

    id: str
    name: str
    similarity: float
    count: int | None
    position: int | None


def similar(
    recommender: Recommender, label: str, asked: str | Query, by: str, target: Target, n: int
) -> list[Neighbour]:
    """Return the n entities of the kind `target` nearest to `asked`; `Recommender.similar` explains the arguments."""
    component = _component(recommender, label)
    learned = embeddings(recommender, label)
    query, own = asked if isinstance(asked, Query) else _query(recommender, label, learned, asked, by), None
    if isinstance(asked, str) and by in learned:
        own = learned[by].vector(asked)
    batch = None if query is None else recommender.encode([query])
    if isinstance(component, VectorModel):
        embedding = _embedding(recommender, label, component, learned, target)
        vector = _vector(recommender, component, own, batch, target)
        scores = np.full((1, len(embedding.vectors)), np.nan, np.float32)
        if vector is not None and not np.isnan(vector).any():
            scores[0] = kernels.cosines(embedding.vectors, vector)
        scores[0, _named(asked, by, target, embedding.vocabulary, batch)] = np.nan
        ids, values = kernels.top_k(scores, n)
        vocabulary, counts = embedding.vocabulary, embedding.counts
    else:
        if batch is None or not _proposes(component, recommender.data, target):
            raise _without_vectors(recommender, label, target if batch is not None else by)
        candidates = component.candidates(batch, n, target, Exclude(batch.matrix(target)))
        ids, values = candidates.ids, candidates.scores
        vocabulary, counts = recommender.data.vocabulary(target), _counts(recommender, target)
    valid = ids[0] != PADDING
    return list(_neighbours(recommender.data, target, vocabulary, counts, ids[0][valid], values[0][valid]))


def embeddings(recommender: Recommender, label: str) -> dict[str, Embedding]:
    """Return the vectors that a component learned, by kind of entity, with the count of each entity.

    Raises ConfigError for an unknown component.
    """
    component = _labelled(recommender, label)
    learned = component.embeddings(recommender.data) if isinstance(component, VectorModel) else {}
    return {
        kind: embedding if embedding.counts is not None else replace(embedding, counts=_counts(recommender, kind))
        for kind, embedding in learned.items()
    }


def _labelled(recommender: Recommender, label: str) -> Component:
    if label not in recommender.components:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, recommender.components)}")
    return recommender.components[label]


def _component(recommender: Recommender, label: str) -> Component:
    """Return the component of this label; raises ConfigError if it is unknown or draws its scores at random."""
    component = _labelled(recommender, label)
    if component.stochastic:
        raise ConfigError(
            f"'{label}' ({component.name}) draws its scores at random: they tell nothing about what is alike; name "
            "another component"
        )
    return component


def _without_vectors(recommender: Recommender, label: str, kind: str) -> ConfigError:
    """Return, but do not raise, the error for a kind of which a component has neither vectors nor candidates."""
    name = recommender.components[label].name
    kinds = embeddings(recommender, label)
    if not kinds and kind not in (WORDS, FEATURES, USERS):
        return ConfigError(f"'{label}' ({name}) proposes no {kind}")
    others = f"; it has some of {', '.join(kinds)}" if kinds else ""
    return ConfigError(f"'{label}' ({name}) has no vectors of {kind}{others}")


def _proposes(component: Component, data: Dataset, target: Target) -> TypeGuard[Generator]:
    return isinstance(component, Generator) and target in data.targets and component.recommends(target)


def _query(recommender: Recommender, label: str, learned: Mapping[str, Embedding], asked: str, by: str) -> Query | None:
    """Return a query with only this id or text; None for words and features, which no query can have.

    Raises ConfigError if `by` is words or features and the component has no vectors of them. Raises DataError for any
    other kind that neither the data nor the component has, and for an unknown id.
    """
    data = recommender.data
    if by == TEXT:
        return Query(text=asked)
    if by in (WORDS, FEATURES) and by not in learned:
        raise _without_vectors(recommender, label, by)
    if by not in learned and by not in data.entities:
        raise DataError(f"unknown kind '{by}': {did_you_mean(by, dict.fromkeys((*data.entities, *learned, TEXT)))}")
    if by != USERS and asked not in (learned[by].vocabulary if by in learned else data.vocabulary(by)):
        raise DataError(f"unknown {by} '{asked}'")
    if by == USERS:
        return Query(user=asked)
    if by == ITEMS:
        return Query(items=[asked])
    return None if by in (WORDS, FEATURES) else Query(entities={by: [asked]})


def _vector(
    recommender: Recommender, component: VectorModel, own: Floats | None, batch: QueryBatch | None, target: Target
) -> Floats | None:
    """Return the vector whose neighbours are sought: float32 [D].

    It is the learned vector `own`, or if that is None, the vector of the query in `batch`. Returns None if both are
    None.
    """
    if own is not None or batch is None:
        return own
    return component.query_vectors(batch, _served(component, recommender.data, target))[0]


def _embedding(
    recommender: Recommender, label: str, component: VectorModel, learned: Mapping[str, Embedding], target: Target
) -> Embedding:
    """Return the vectors of all entities of a kind.

    If the component learned no vectors of users, they are computed from queries with the users' histories. Raises
    ConfigError for any other kind of which the component has no vectors, and for users if the bundle holds none.
    """
    data = recommender.data
    if target in learned:
        return learned[target]
    if target == USERS and recommender.knows_users:
        served, everyone = _served(component, data, ITEMS), np.arange(len(data.users), dtype=np.int32)
        blocks = [everyone[start : start + _USERS] for start in range(0, len(everyone), _USERS)]
        vectors = np.concatenate([component.query_vectors(data.queries(block), served) for block in blocks])
        return Embedding(data.users.vocabulary, vectors, _counts(recommender, USERS))
    raise _without_vectors(recommender, label, target)


def _served(component: VectorModel, data: Dataset, target: Target) -> Target:
    """Return `target` if the component recommends it, else the first target of the data that it recommends."""
    if target in data.targets and component.recommends(target):
        return target
    return next((other for other in data.targets if component.recommends(other)), ITEMS)


def _named(asked: str | Query, by: str, target: Target, vocabulary: Vocabulary, batch: QueryBatch | None) -> Ints:
    """Return the codes of the entities of the kind `target` that `asked` names: they must not be neighbours."""
    if isinstance(asked, str) and by == target:
        codes = vocabulary.encode([asked])
    elif isinstance(asked, str) and by == TEXT and target == WORDS:
        codes = vocabulary.encode(tokens(asked))
    elif isinstance(asked, Query) and batch is not None and batch.width(target):
        codes = batch.matrix(target).indices
    else:
        codes = np.empty(0, np.int32)
    return codes[codes != PADDING]


def _counts(recommender: Recommender, kind: str) -> Longs | None:
    """Count the training users who have each entity of a kind, or the distinct items of each user: int64 [N].

    Returns None if the bundle holds no users, or if users do not have entities of the kind.
    """
    data = recommender.data
    if not recommender.knows_users:
        return None
    if kind == USERS:
        return np.diff(data.interactions.matrix(binary=True).indptr).astype(np.int64)
    if kind not in data.targets:
        return None
    return np.bincount(data.user_matrix(kind).indices, minlength=data.size(kind)).astype(np.int64)


def _neighbours(
    data: Dataset, kind: str, vocabulary: Vocabulary, counts: Longs | None, ids: Ints, values: Floats
) -> Iterator[Neighbour]:
    """Yield a Neighbour, with its name, count and position, for each code in `ids` and similarity in `values`."""
    places = None if counts is None else positions(counts)
    texts = [data.entities[kind].text[code] for code in ids] if kind in data.entities else [""] * len(ids)
    for code, name, text, value in zip(ids, vocabulary.texts(ids), texts, values, strict=True):
        count = None if counts is None else int(counts[code])
        position = None if places is None else int(places[code])
        yield Neighbour(name, text or name, float(value), count, position)
