"""Four ways to retrieve from an embedding that another component has trained.

They use the mean of a query's vectors, votes of its tokens, clusters of these tokens, or votes of the nearest training
playlists.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    Component,
    ComponentRef,
    ConfigError,
    Dataset,
    DenseModel,
    Floats,
    Ints,
    Longs,
    Options,
    QueryBatch,
    SimilarityOptions,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_word2vec.clusters import cluster, interleaved
from hybridrec_word2vec.space import SentenceField
from hybridrec_word2vec.trained_space import COSINE_ALONE, Average, QueryEncoder, Score, SpaceModel, normalised

_CELLS = 1 << 23
"""Number of similarities held in memory at a time."""


class AskingOptions(Options):
    """Options of components that retrieve from the trained space of another component, which `uses` names.

    An option that is left out has the value that it has in that component.
    """

    uses: Annotated[str, ComponentRef(SpaceModel)] = Option(examples=["word2vec"])
    """Label of the component whose trained space is used, such as a `word2vec`; it is trained once for all components
    that name it."""
    score: Score | None = None
    """Score of a candidate, `input-output` or `cosine`, as for `word2vec`."""
    context: Annotated[int, Option(gt=0)] | Literal["all"] | None = None
    """Number of the last items of a query that count, or `all`."""
    weights: dict[SentenceField, Annotated[float, Option(ge=0)]] | None = None
    """Weight of a field's tokens in a query; 1 for fields that are not named."""
    average: Average | None = None
    """Mean that represents a query, of all its `tokens` or of its `fields`, as for `word2vec`."""


class Asking(Component):
    """Base of the components that retrieve from the space of another component, which `uses` names.

    That component alone is trained, so components on the same space differ only in their retrieval.
    """

    config: AskingOptions
    _base_model: SpaceModel

    def use(self, model: SpaceModel) -> Self:
        """Take the component whose space is used, and take over its `targets`, `needs` and `folds_in`; return self."""
        self._base_model = model
        self.targets, self.needs, self.folds_in = model.targets, model.needs, model.folds_in
        return self

    @property
    def encoder(self) -> QueryEncoder:
        """The trained space of the base model; an option that this component leaves out has the value of the model."""
        given = {name: getattr(self.config, name) for name in ("score", "context", "weights", "average")}
        changes = {name: value for name, value in given.items() if value is not None}
        if changes.get("context") == "all":
            changes["context"] = None
        return replace(self._base_model.encoder, **changes)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Return self: there is nothing to learn, since the space is already trained."""
        return self

    def state(self) -> State:
        """Return no arrays: nothing was learned."""
        return {}

    def restore(self, state: State) -> Self:
        """Return self: there is nothing to restore."""
        return self


class MeanOptions(AskingOptions, SimilarityOptions):
    """Options of `word2vec-mean`: the trained space, the vector of a query, and the similarity.

    Unlike the other options, `similarity` and `norm_exponent` have defaults of their own, not those of the component
    that `uses` names.
    """

    @model_validator(mode="after")
    def _similarity_of_outputs(self) -> Self:
        if self.score == "cosine" and not self.is_plain:
            raise ValueError(COSINE_ALONE)
        return self


class Mean(Asking, SpaceModel):
    """Retrieval by the mean of the vectors of a query's tokens.

    `word2vec` itself retrieves in the same way; this component can do it with other options, without another training.
    """

    name = "word2vec-mean"
    Config = MeanOptions
    config: MeanOptions

    @property
    def encoder(self) -> QueryEncoder:
        """The trained space of the base model, with this component's options for queries and its similarity."""
        return replace(super().encoder, similarity=self.config)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Return self: nothing is learned. Raises ConfigError if options name a similarity, but `score` is `cosine`."""
        if self.encoder.score == "cosine" and not self.config.is_plain:
            raise ConfigError(f"{self.name}: '{self.config.uses}' has score: cosine; {COSINE_ALONE}")
        return self

    @property
    def dim(self) -> int:
        """Dimensions of the space, known before training."""
        return self._base_model.dim


class VotingOptions(AskingOptions):
    """Options of `word2vec-voting`: the trained space, the tokens of a query, and the ids for which a token votes."""

    neighbours: int = Option(100, ge=1)
    """Number of nearest ids for which each token of a query votes."""


class Voting(Asking, DenseModel):
    """Retrieval by votes of each token of a query for its nearest items (or tags).

    With `score: cosine` the vote of a token for a candidate is their cosine if it is above 0. With `input-output` it is
    exp(input · output) divided by the sum of this over all candidates: the probability with which the model predicts
    the candidate beside the token. The score is the weighted mean of the votes of all tokens. So a candidate that one
    token strongly predicts scores high, whereas a mean vector favours candidates that suit all tokens a little.
    """

    name = "word2vec-voting"
    version = "2"
    Config = VotingOptions
    config: VotingOptions

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the weighted mean of the tokens' votes, float32 [Q, N]; NaN for ids without a vote."""
        encoder = self.encoder
        seeds = encoder.seeds(queries)
        voting = np.flatnonzero(seeds.getnnz(axis=0))
        result: Floats = (seeds[:, voting] @ self._votes(encoder, voting, target)).toarray()
        result[result <= 0] = np.nan
        return result

    def _votes(self, encoder: QueryEncoder, tokens: Longs, target: Target) -> Sparse:
        """Return the votes of each token for its neighbours: csr float32 [len(tokens), N]."""
        others = encoder.vectors(target)
        rows = max(1, _CELLS // max(len(others), 1))
        blocks = [self._nearest(encoder, tokens[start : start + rows], others) for start in range(0, len(tokens), rows)]
        empty = csr_matrix((0, len(others)), dtype=np.float32)
        return vstack([empty, *blocks], format="csr")

    def _nearest(self, encoder: QueryEncoder, tokens: Longs, others: Floats) -> Sparse:
        """Return the votes of each of T tokens for its nearest ids: csr [T, N].

        `others`, float32 [N, D], are the vectors of all ids.
        """
        values = encoder.inputs[tokens] @ others.T
        if encoder.score == "cosine":
            values[values <= 0] = np.nan
        else:
            values = shares(values)
        ids, votes = kernels.top_k(values, min(self.config.neighbours, len(others)))
        return _sparse(ids, votes, values.shape)


class ClustersOptions(AskingOptions):
    """Options of `word2vec-clusters`: the trained space, the tokens of a query, and the number of clusters."""

    clusters: int = Option(3, ge=1)
    """Largest number of clusters that the tokens of a query are put into."""


class Clusters(Asking, DenseModel):
    """Retrieval by clusters of the query's tokens, with the rankings of the clusters interleaved.

    Spherical k-means clusters the vectors of the tokens. The clusters take turns, the one with the most weight first:
    each adds its best id that is not in the list yet. The score is 1 over the place in the list. Recommendations cover
    all parts of a mixed playlist, whereas one mean vector favours ids between the parts.
    """

    name = "word2vec-clusters"
    version = "2"
    Config = ClustersOptions
    config: ClustersOptions

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return 1 over the place in the interleaved list: float32 [Q, N].

        NaN for queries without a token that has a vector, and for ids without a vector.
        """
        encoder = self.encoder
        seeds = encoder.seeds(queries)
        centres = cluster(seeds, encoder.trained.units, self.config.clusters)
        others = encoder.vectors(target)
        result = np.empty((len(queries), len(others)), np.float32)
        rows = max(1, _CELLS // max(self.config.clusters * len(others), 1))
        asked = queries.matrix(target)
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            result[block] = interleaved(centres[block] @ others.T, asked[block])
        return result


class PlaylistsOptions(AskingOptions):
    """Options of `word2vec-playlists`: the trained space, the vector of a query, and the users who vote."""

    neighbours: int = Option(50, ge=1)
    """Number of nearest training users that vote."""
    power: float = Option(4.0, gt=0)
    """Power of the cosine in a vote; the larger it is, the more the nearest users dominate."""


class Playlists(Asking, DenseModel):
    """Retrieval by votes of the nearest training users (playlists) for their items or tags.

    The vector of a user is the one that `word2vec` computes for a query, the mean of all the user's tokens. The score
    of an item (or tag) is the sum of the cosine to the power `power` over the nearest users who have it.
    """

    name = "word2vec-playlists"
    version = "2"
    Config = PlaylistsOptions
    config: PlaylistsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute the vectors of the training users, and keep them with the users' items and tags; return self."""
        self._users = self._directions(data.queries(np.arange(len(data.users), dtype=np.int32)))
        self._has = {target: data.user_matrix(target).sign() for target in self.encoder.trained.outputs}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes that the vectors of the users take while they are computed."""
        return 12 * len(data.users) * self._base_model.dim

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the sum of the votes, float32 [Q, N]; NaN for ids that none of the nearest users has."""
        has = self._has[target]
        asking = self._directions(queries)
        result = np.empty((len(queries), has.shape[1]), np.float32)
        rows = max(1, _CELLS // max(len(self._users), 1))
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            result[block] = kernels.dense_product(self._votes(asking[block]), has)
        result[result <= 0] = np.nan
        return result

    def _votes(self, asking: Floats) -> Sparse:
        """Return the votes of the nearest users for queries with the vectors `asking`, [Q, dim]: csr float32 [Q, U]."""
        cosines = asking @ self._users.T
        cosines[cosines <= 0] = np.nan
        ids, values = kernels.top_k(cosines, min(self.config.neighbours, max(len(self._users), 1)))
        return _sparse(ids, values ** np.float32(self.config.power), cosines.shape)

    def _directions(self, queries: QueryBatch) -> Floats:
        """Return the vectors of queries at length 1, float32 [Q, dim]; NaN rows for queries without a vector."""
        return normalised(self.encoder.query_vectors(queries))

    def state(self) -> State:
        """Return the vectors of the training users, and their items and tags."""
        state: State = {"users": self._users}
        for target, has in self._has.items():
            state |= pack_csr(has, f"has.{target}")
        return state

    def restore(self, state: State) -> Self:
        """Take the training users' vectors, items and tags from `state`; return self."""
        self._users = state["users"]
        self._has = {target: unpack_csr(state, f"has.{target}") for target in self.encoder.trained.outputs}
        return self


def shares(values: Floats) -> Floats:
    """Compute the softmax of each row of float32 [S, N]; NaN entries stay NaN and are left out of the sum."""
    powers = np.exp(values - np.fmax.reduce(values, axis=1, keepdims=True, initial=-np.inf))
    return powers / np.nansum(powers, axis=1, keepdims=True)


def _sparse(ids: Ints, values: Floats, shape: tuple[int, int]) -> Sparse:
    """Build a csr of `shape` with `values`, [rows, k], in the columns `ids`, [rows, k]; NaN values are left out."""
    rows, places = np.nonzero(~np.isnan(values))
    return csr_matrix((values[rows, places], (rows, ids[rows, places])), shape=shape)
