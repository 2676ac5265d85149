"""`other-similarity`: a factorization that another component has trained, compared by another similarity."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, ValidationError

from hybridrec import (
    ComponentRef,
    ConfigError,
    Dataset,
    Floats,
    QueryBatch,
    SimilarityOptions,
    State,
    Target,
    VectorModel,
)


class Factorization(VectorModel):
    """Base of the models whose `similarity` and `norm_exponent` change their answers, but nothing that they learn."""

    config: SimilarityOptions


class OtherSimilarityOptions(SimilarityOptions):
    """Options of `other-similarity`: the factorization, and the similarity.

    `similarity` and `norm_exponent` have defaults of their own, not the values of the component that `uses` names.
    """

    uses: Annotated[str, ComponentRef(Factorization)] = Field(examples=["wmf"])
    """Label of the component whose vectors are compared, an `als`, `bpr`, `wmf` or `vectors`; it is trained once for
    all components that name it."""


class OtherSimilarity(VectorModel):
    """The vectors of another component, compared by another similarity, without another training.

    The scores are those of the other component trained with this `similarity` and `norm_exponent` and the same seed.
    """

    name = "other-similarity"
    Config = OtherSimilarityOptions
    config: OtherSimilarityOptions

    _base_model: Factorization
    _options: SimilarityOptions
    _rescaled: Factorization

    def use(self, model: Factorization) -> Self:
        """Take the component whose vectors are compared, and take over its `targets`, `needs` and `folds_in`.

        Raises ConfigError if the component cannot have this similarity.
        """
        similarity = self.config.model_dump(exclude={"uses"})
        try:
            self._options = type(model.config).model_validate(model.config.model_dump() | similarity)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"{self.name}: '{self.config.uses}' cannot have this similarity: {reason}") from None
        self._base_model = model
        self.targets, self.needs, self.folds_in = model.targets, model.needs, model.folds_in
        return self

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Return self: nothing is learned."""
        return self.restore({})

    def state(self) -> State:
        """Return no arrays: nothing was learned."""
        return {}

    def restore(self, state: State) -> Self:
        """Give the arrays of the base model to one that has this similarity; return self."""
        self._rescaled = type(self._base_model)(self._options).restore(self._base_model.state())
        return self

    def vectors(self, target: Target) -> Floats:
        """Return the target's vectors scaled for the similarity: float32 [N, D]."""
        return self._rescaled.vectors(target)

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`; NaN rows as in the base model."""
        return self._rescaled.query_vectors(queries, target)
