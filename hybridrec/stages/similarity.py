"""Similarity of a query and an id by their vectors: inner product, cosine, a score between these two, or distance."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from hybridrec.plugin import Options
from hybridrec.types import Floats

Similarity: TypeAlias = Literal["dot", "cosine", "euclidean"]
"""The measure by which vectors of queries and ids are compared."""


class SimilarityOptions(Options):
    """Options of vector models whose vectors may be compared in another way than they were trained.

    Every similarity is computed as an inner product of transformed vectors: `places` transforms the vectors of ids,
    `probes` the vectors of queries. The rounding error of a distance between a query q and an id v is therefore
    relative to |q|² + |v|², not to the distance itself.
    """

    similarity: Similarity = "dot"
    """Score of an id: its inner product with the query, their cosine, or their negative squared distance."""
    norm_exponent: float = Field(1.0, ge=0, le=1)
    """For `dot`: the score is |v|^e |q| cos(q, v). Popular items have long vectors: 1 is the inner product, which
    favours them; values towards 0, which ranks like the cosine, favour niche items."""

    @model_validator(mode="after")
    def _exponent_of_dot(self) -> Self:
        if self.norm_exponent != 1 and self.similarity != "dot":
            raise ValueError(f"norm_exponent needs similarity: dot; {self.similarity} has no exponent")
        return self

    @property
    def is_plain(self) -> bool:
        """True if the similarity is the inner product of the vectors as they are."""
        return self.similarity == "dot" and self.norm_exponent == 1

    def places(self, vectors: Floats) -> Floats:
        """Return the vectors of ids, float32 [N, D], transformed for an inner product with the result of `probes`.

        The result is float32 [N, D]; for `euclidean` it is [N, D + 2] and has v, |v|² and 1 for each vector v. For the
        plain inner product it is the same array as `vectors`. Rows of NaN stay NaN.
        """
        if self.is_plain:
            return vectors
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        if self.similarity == "euclidean":
            return np.concatenate((vectors, length**2, np.ones_like(length)), axis=1)
        exponent = 0 if self.similarity == "cosine" else self.norm_exponent
        return np.asarray(vectors / np.where(length > 0, length, 1) ** np.float32(1 - exponent), np.float32)

    def probes(self, vectors: Floats) -> Floats:
        """Return the vectors of queries, float32 [Q, D], transformed for an inner product with the result of `places`.

        The result is float32 [Q, D], or [Q, D + 2] for `euclidean`. Rows of NaN stay NaN.
        """
        if self.similarity == "dot":
            return vectors
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        if self.similarity == "euclidean":
            return np.concatenate((2 * vectors, -np.ones_like(length), -(length**2)), axis=1)
        return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)
