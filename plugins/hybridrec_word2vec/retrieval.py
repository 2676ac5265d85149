"""Retrieval in the space of `word2vec` other than by one mean vector: votes, clusters, playlists."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field as Option
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    ITEMS,
    Dataset,
    DenseModel,
    Floats,
    Ints,
    Longs,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_word2vec.clusters import cluster, interleaved
from hybridrec_word2vec.embedding import Word2Vec, Word2VecOptions, normalised

_CELLS = 1 << 23
"""Similarities held in memory at a time."""


class VotingOptions(Word2VecOptions):
    """Options of `word2vec-voting`: those of `word2vec`, and those of votes."""

    neighbours: int = Option(100, ge=1)
    """Number of neighbours each seed votes for."""


class Voting(DenseModel, Word2Vec):
    """Retrieval by votes of each token of a query for its nearest items (or tags).

    With `score: cosine` the vote of a seed is the cosine where it is above 0; with `input-output` it is exp(input ·
    output) over its sum for all candidates, the share of the candidate among the neighbours of the seed as the model
    predicts it. The score is the weighted mean of the votes of all seeds: a candidate that one seed strongly predicts
    scores high, where a mean vector favours those that suit all seeds a little.
    """

    name = "word2vec-voting"
    Config = VotingOptions
    config: VotingOptions

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, N]; NaN for ids that no seed votes for."""
        seeds = self.seeds(queries)
        voting = np.flatnonzero(seeds.getnnz(axis=0))
        result: Floats = (seeds[:, voting] @ self._votes(voting, target)).toarray()
        result[result <= 0] = np.nan
        return result

    def _votes(self, tokens: Longs, target: Target) -> Sparse:
        """Return the votes of each token for its neighbours: csr float32 [len(tokens), N]."""
        others = self.vectors(target)
        rows = max(1, _CELLS // max(len(others), 1))
        blocks = [self._nearest(tokens[start : start + rows], others) for start in range(0, len(tokens), rows)]
        empty = csr_matrix((0, len(others)), dtype=np.float32)
        return vstack([empty, *blocks], format="csr")

    def _nearest(self, tokens: Longs, others: Floats) -> Sparse:
        """Find the nearest of `others`, float32 [N, D], to each token, and their votes: csr [T, N]."""
        if self.config.score == "cosine":
            values = self._embedding[tokens] @ others.T
            values[values <= 0] = np.nan
        else:
            values = shares(self._embedding[tokens] @ others.T)
        ids, votes = kernels.top_k(values, min(self.config.neighbours, len(others)))
        return _sparse(ids, votes, values.shape)


class ClustersOptions(Word2VecOptions):
    """Options of `word2vec-clusters`: those of `word2vec`, and the number of clusters."""

    clusters: int = Option(3, ge=1)
    """Largest number of clusters of each query's seeds."""


class Clusters(DenseModel, Word2Vec):
    """Retrieval by clusters of the query's seeds, with the results of the clusters interleaved.

    Spherical k-means over the vectors of the seeds; the clusters take turns, the heaviest first, each with its best
    id that no other has named. The score is 1 over the place. Recommendations cover all parts of a mixed playlist,
    where one mean vector favours ids between the parts.
    """

    name = "word2vec-clusters"
    Config = ClustersOptions
    config: ClustersOptions

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, N]; NaN for queries without seeds and for ids without a vector."""
        seeds = self.seeds(queries)
        centres = cluster(seeds, normalised(self._embedding), self.config.clusters)
        others = self.vectors(target)
        result = np.empty((len(queries), len(others)), np.float32)
        rows = max(1, _CELLS // max(self.config.clusters * len(others), 1))
        asked = queries.matrix(target)
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            result[block] = interleaved(centres[block] @ others.T, asked[block])
        return result


class PlaylistsOptions(Word2VecOptions):
    """Options of `word2vec-playlists`: those of `word2vec`, and those of votes."""

    neighbours: int = Option(50, ge=1)
    """Number of training users that vote."""
    power: float = Option(4.0, gt=0)
    """Power of the cosine in a vote; large values listen to the nearest users only."""


class Playlists(DenseModel, Word2Vec):
    """Retrieval by votes of the nearest training users (playlists) for their items or tags.

    The vector of a user is the one `word2vec` would query with, the mean over all the user's tokens. The score of an
    item (or tag) is the sum of the cosine to the power `power` over the nearest users who have it.
    """

    name = "word2vec-playlists"
    Config = PlaylistsOptions
    config: PlaylistsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train, and store the vectors of the users with their items and tags."""
        super().fit(data, rng)
        self._users = self._directions(data.queries(np.arange(len(data.users), dtype=np.int32)))
        self._has = {target: data.user_matrix(target).sign() for target in self._learned_targets()}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of training and of the vectors of the users."""
        return super().memory(data) + 8 * len(data.users) * self.config.dim

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, N]; NaN where none of the nearest users has the id."""
        has = self._has[target]
        asking = self._directions(queries)
        result = np.empty((len(queries), has.shape[1]), np.float32)
        rows = max(1, _CELLS // max(len(self._users), 1))
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            result[block] = (self._votes(asking[block]) @ has).toarray()
        result[result <= 0] = np.nan
        return result

    def _votes(self, asking: Floats) -> Sparse:
        """Return the vote of each of the nearest users: csr float32 [Q, U]."""
        cosines = asking @ self._users.T
        cosines[cosines <= 0] = np.nan
        ids, values = kernels.top_k(cosines, min(self.config.neighbours, max(len(self._users), 1)))
        return _sparse(ids, values ** np.float32(self.config.power), cosines.shape)

    def _directions(self, queries: QueryBatch) -> Floats:
        """Return the vectors of queries at length 1, float32 [Q, dim]; NaN where there is none."""
        return normalised(self.query_vectors(queries, ITEMS))

    def state(self) -> State:
        """Return the state of `word2vec`, the vectors of the users, and their items and tags."""
        state = super().state() | {"users": self._users}
        for target, has in self._has.items():
            state |= pack_csr(has, f"has.{target}")
        return state

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        super().restore(state)
        self._users = state["users"]
        self._has = {target: unpack_csr(state, f"has.{target}") for target in self._learned_targets()}
        return self


def shares(values: Floats) -> Floats:
    """Compute exp of each entry of float32 [S, N] over the sum of its row; NaN stays NaN."""
    powers = np.exp(values - np.fmax.reduce(values, axis=1, keepdims=True, initial=-np.inf))
    return powers / np.nansum(powers, axis=1, keepdims=True)


def _sparse(ids: Ints, values: Floats, shape: tuple[int, int]) -> Sparse:
    """Build csr with the values at the ids, int [rows, k], where they are not NaN."""
    rows, places = np.nonzero(~np.isnan(values))
    return csr_matrix((values[rows, places], (rows, ids[rows, places])), shape=shape)
