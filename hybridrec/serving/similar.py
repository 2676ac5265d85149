"""Nearest neighbours in the space of a fitted component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.text.words import tokens
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.serving.recommender import Recommender
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.component import Component, Generator, VectorModel
from hybridrec.types import ITEMS, PADDING, Floats, Ints, Target

WORDS = "words"
"""The target that stands for words of titles, which are entities of no kind."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One neighbour: its external id, its readable name, and its similarity (higher is nearer)."""

    id: str
    name: str
    similarity: float


def similar(recommender: Recommender, label: str, query: Query, target: Target, n: int) -> list[Neighbour]:
    """Return the n nearest items, other entities or words to the content of the query, in the space of a component.

    For a vector model and a single entity, and for words, similarity is the cosine of the vectors; otherwise
    it is the component's own score for the query.
    """
    if label not in recommender.components:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, recommender.components)}")
    component = recommender.components[label]
    batch = recommender.encode([query])
    if target == WORDS:
        return _near_words(label, component, batch, n)
    if not isinstance(component, Generator) or not component.recommends(target):
        raise ConfigError(f"'{label}' ({component.name}) proposes no {target}")
    ids, values = _near_ids(component, batch, target, n)
    data = recommender.data
    external = data.vocabulary(target).texts(ids)
    texts = [data.entities[target].text[code] for code in ids]
    return [
        Neighbour(name, text or name, float(value)) for name, text, value in zip(external, texts, values, strict=True)
    ]


def _near_ids(component: Generator, batch: QueryBatch, target: Target, n: int) -> tuple[Ints, Floats]:
    """Return at most n ids and scores, best first: by cosine to a single id, otherwise the candidates of the model."""
    own = batch.history.ids if target == ITEMS else batch.matrix(target).indices
    if isinstance(component, VectorModel) and len(own) == 1 and not batch.text[0]:
        vectors = component.vectors(target)
        scores = kernels.cosines(vectors, vectors[own[0]])[None]
        scores[0, own] = np.nan
        ids, values = kernels.top_k(scores, n)
    else:
        candidates = component.candidates(batch, n, target, Exclude(batch.matrix(target)))
        ids, values = candidates.ids, candidates.scores
    valid = ids[0] != PADDING
    return ids[0][valid], values[0][valid]


def _near_words(label: str, component: Component, batch: QueryBatch, n: int) -> list[Neighbour]:
    words = component.word_vectors() if isinstance(component, VectorModel) else None
    if words is None or not isinstance(component, VectorModel):
        raise ConfigError(f"'{label}' ({component.name}) has no vectors of words")
    vocabulary, vectors = words
    scores = kernels.cosines(vectors, component.query_vectors(batch, ITEMS)[0])[None]
    own = vocabulary.encode(tokens(batch.text[0]))
    scores[0, own[own != PADDING]] = np.nan
    ids, values = kernels.top_k(scores, n)
    valid = ids[0] != PADDING
    return [
        Neighbour(word, word, float(value))
        for word, value in zip(vocabulary.texts(ids[0][valid]), values[0][valid], strict=True)
    ]
