"""Trained spaces: the vectors of all tokens, the encoding of queries as vectors, and the base of their components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from hybridrec import (
    USERS,
    Bools,
    Dataset,
    Embedding,
    Floats,
    Longs,
    QueryBatch,
    Similarity,
    SimilarityOptions,
    Sparse,
    Target,
    VectorModel,
    Vocabulary,
    kernels,
)
from hybridrec_word2vec.space import SentenceField, Space

Score: TypeAlias = Literal["input-output", "cosine"]
Average: TypeAlias = Literal["tokens", "fields"]
COSINE_ALONE = "similarity and norm_exponent need score: input-output; score: cosine compares by the cosine"
"""Message of the error for options that name two similarities."""


@dataclass(frozen=True, eq=False)
class TrainedSpace:
    """The vectors of all tokens; all components that use the space share them, so they are never written to.

    inputs: float32 [tokens, dim], NaN rows for tokens without a vector
    outputs: target -> float32 [N, dim], the output vectors of its ids, by which training predicts them
    counts: int64 [tokens], number of training users who have each token
    """

    space: Space
    inputs: Floats
    outputs: Mapping[Target, Floats]
    counts: Longs
    _directions: dict[SentenceField, Floats] = field(default_factory=dict, init=False, repr=False)
    _places: dict[tuple[Target, Similarity, float], Floats] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def learned(self) -> Bools:
        """bool [tokens]: true for tokens that have a vector."""
        return ~np.isnan(self.inputs[:, 0])

    @cached_property
    def units(self) -> Floats:
        """The input vectors at length 1: float32 [tokens, dim]."""
        return normalised(self.inputs)

    def inputs_of(self, name: SentenceField) -> Floats:
        """Return the input vectors of a field's tokens, float32 [N, dim]; NaN rows for tokens without a vector."""
        return self.inputs[self.space.range_of(name)]

    def directions_of(self, name: SentenceField) -> Floats:
        """Return the input vectors of a field's tokens at length 1, float32 [N, dim]: the same array in every call."""
        if name not in self._directions:
            self._directions[name] = self.units[self.space.range_of(name)]
        return self._directions[name]

    def places_of(self, target: Target, similarity: SimilarityOptions) -> Floats:
        """Return a target's output vectors scaled for a similarity, float32 [N, D]: the same array in every call."""
        key = target, similarity.similarity, similarity.norm_exponent
        if key not in self._places:
            self._places[key] = similarity.places(self.outputs[target])
        return self._places[key]


@dataclass(frozen=True, eq=False, slots=True)
class QueryEncoder:
    """Encoding of queries as weighted tokens of a trained space, and as vectors in it.

    score: `input-output` compares a query with the output vectors of candidates, `cosine` with their input vectors
    context: number of the last items of a query that count, None for all
    weights: field -> weight of its tokens, 1 for fields that are not named
    average: `tokens` if a query is the mean of all its tokens, `fields` if it is the mean of its fields, each the mean
        of its own tokens
    similarity: with `input-output`, the measure by which the query's mean and an output vector are compared
    """

    trained: TrainedSpace
    score: Score
    context: int | None
    weights: Mapping[SentenceField, float]
    average: Average
    similarity: SimilarityOptions = field(default_factory=SimilarityOptions)

    @property
    def inputs(self) -> Floats:
        """The input vectors of all tokens, at length 1 where cosines are compared: float32 [tokens, dim]."""
        return self.trained.units if self.score == "cosine" else self.trained.inputs

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of a target's ids, float32 [N, dim]: the same array in every call.

        NaN rows for ids without a vector.
        """
        return self.trained.directions_of(target) if self.score == "cosine" else self.trained.outputs[target]

    def query_vectors(self, queries: QueryBatch) -> Floats:
        """Return the vectors of queries, float32 [Q, dim]; NaN rows for queries without a token that has a vector."""
        seeds = self.seeds(queries)
        mean: Floats = seeds @ self.inputs  # tokens without a vector are no seeds, so their NaN are not met
        mean[np.diff(seeds.indptr) == 0] = np.nan
        return normalised(mean) if self.score == "cosine" else mean

    def places(self, target: Target) -> Floats:
        """Return the vectors of a target's ids, float32 [N, D], scaled for the similarity: always the same array."""
        if self.score == "cosine":
            return self.vectors(target)
        return self.trained.places_of(target, self.similarity)

    def probes(self, queries: QueryBatch) -> Floats:
        """Return the vectors of queries scaled for the similarity: float32, as wide as `places`.

        NaN rows for queries without a token that has a vector.
        """
        vectors = self.query_vectors(queries)
        return vectors if self.score == "cosine" else self.similarity.probes(vectors)

    def seeds(self, queries: QueryBatch) -> Sparse:
        """Return the weight of each token in the mean of its query: csr float32 [Q, tokens].

        Rows sum to 1; those of queries without a token that has a vector are empty.
        """
        space = self.trained.space
        seeds = space.counts(queries, self.context)
        seeds.data *= self.trained.learned[seeds.indices]
        weights = space.value_of(seeds.indices, self.weights)
        if self.average == "fields":
            weights = weights / np.maximum(space.field_sums(seeds).data, 1)
        seeds.data *= weights
        seeds.eliminate_zeros()
        total = kernels.row_sums(seeds)
        seeds.data /= total[kernels.csr_rows(seeds)]
        return seeds


class SpaceModel(VectorModel):
    """A vector model whose trained space others may use (`uses`); a query is the weighted mean of its tokens.

    dim: dimensions of the space, known before training
    """

    @property
    def dim(self) -> int:
        """Dimensions of the space, known before training."""
        raise NotImplementedError

    @property
    def encoder(self) -> QueryEncoder:
        """The trained space, with the options by which this component turns queries into vectors."""
        raise NotImplementedError

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of a target's ids, float32 [N, dim]; NaN rows for ids without a vector.

        They are input vectors of length 1 with `score: cosine`, else output vectors that are scaled for the similarity,
        and 2 wider for `euclidean`.
        """
        return self.encoder.places(target)

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`.

        NaN rows for queries without a token that has a vector.
        """
        return self.encoder.probes(queries)

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return the input vectors of the tokens of all fields: items, other kinds, users, features and words."""
        trained = self.encoder.trained
        embeddings: dict[str, Embedding] = {}
        for name in trained.space.fields:
            tokens = trained.space.range_of(name)
            kind = _KINDS.get(name, name)
            vocabulary = _vocabulary(kind, data, trained.space)
            if len(vocabulary) == tokens.stop - tokens.start:  # a bundle without users has no ids for theirs
                counts = None if kind == USERS else trained.counts[tokens]
                embeddings[kind] = Embedding(vocabulary, trained.inputs_of(name), counts)
        return embeddings


_KINDS = {"user": USERS, "title": "words"}
"""Field of sentences -> name of its entities, for the fields with another name than their entities."""


def _vocabulary(kind: str, data: Dataset, space: Space) -> Vocabulary:
    """Return the external ids of a kind (also `words` and `features`), in the order of its tokens."""
    if kind == "words":
        return space.words
    if kind != "features":
        return data.vocabulary(kind)
    return Vocabulary(() if data.items.features is None else data.items.features.names)


def normalised(vectors: Floats) -> Floats:
    """Scale each row to length 1; rows of zeros or NaN stay as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32, copy=False)
