"""`vsknn`: sessions that have the query's latest items vote for what else they have."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    Dataset,
    DenseModel,
    Floats,
    Options,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_sessions.order import Decay, decayed, latest

_CELLS = 1 << 23
"""Entries of queries times items, or items of neighbours, that are held at a time."""


class VSKNNOptions(Options):
    """Options of `vsknn`."""

    sample: int = Field(1000, ge=1)
    """Of the sessions with an item in common, so many are compared: the most recent ones."""
    neighbours: int = Field(100, ge=1)
    """How many of them, the most similar, vote."""
    decay: Decay = "linear"
    """What an item of the query counts in the similarity, n steps before the last: `linear`, 1 - n/10, nothing from 10
    on; `div`, 1 / (1 + n); `none`, all alike."""
    closeness: Decay = "div"
    """What a session's vote counts by how far back in the query their last common item is; likewise."""
    idf: float = Field(0.5, ge=0)
    """How much more the votes for a rare item count: the power of log(1 + S / n), if n of S sessions have it."""


class VSKNN(DenseModel):
    """Vector multiplication session-based kNN (Ludewig and Jannach 2018).

    A query is a vector of its items, each with what it counts at its latest place (`decay`); a session
    of the training part (a user) is a binary vector. The score of item i is

        idf(i) * sum over the neighbours s that have i of  cosine(q, s) * closeness(q, s)

    Neighbours are the most similar of the most recent sessions with an item in common. What none of
    them has gets no opinion. Without times, later users are the more recent ones.
    """

    name = "vsknn"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    Config = VSKNNOptions
    config: VSKNNOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Keep the sessions, the most recent ones first."""
        times = data.interactions.latest()
        users = np.arange(len(data.users))
        when = users if times is None else np.nan_to_num(times, nan=-np.inf)
        sessions = data.interactions.matrix(binary=True)[np.lexsort((users, when))[::-1]]
        return self._become(sessions[np.diff(sessions.indptr) > 0])

    def _become(self, sessions: Sparse) -> Self:
        self._sessions = sessions
        count = sessions.getnnz(axis=0)
        self._idf = (np.log1p(sessions.shape[0] / np.maximum(count, 1)) ** self.config.idf).astype(np.float32)
        # Sessions at length 1, as columns.
        self._units = sessions.T.tocsr().astype(np.float32)
        self._units.data = np.diff(sessions.indptr)[self._units.indices].astype(np.float32) ** np.float32(-0.5)
        return self

    def memory(self, data: Dataset) -> int:
        """The sessions by row and by column, and once more while they are made."""
        return 3 * 12 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, N]; NaN where no neighbour has it."""
        n_sessions, n_items = self._sessions.shape
        result = np.empty((len(queries), n_items), np.float32)
        voting = self.config.neighbours * self._sessions.nnz // max(n_sessions, 1)
        rows = max(1, _CELLS // max(n_items, n_sessions, voting))
        for start in range(0, len(queries), rows):
            part = slice(start, start + rows)
            result[part] = (self._votes(queries.history.take(part)) @ self._sessions).toarray()
        result *= self._idf
        result[result <= 0] = np.nan
        return result

    def _votes(self, history: Ragged) -> Sparse:
        """csr [Q, S]: what each neighbour counts."""
        rows, ids, steps = latest(history)
        shape = (len(history), history.width)
        neighbours = self._neighbours(csr_matrix((decayed(steps, self.config.decay), (rows, ids)), shape=shape))
        places = np.zeros(shape, np.float32)
        places[rows, ids] = decayed(steps, self.config.closeness)
        members = self._sessions[neighbours.indices]
        closeness = places[np.repeat(kernels.csr_rows(neighbours), np.diff(members.indptr)), members.indices]
        if len(closeness):
            neighbours.data *= np.maximum.reduceat(closeness, members.indptr[:-1])
        return neighbours

    def _neighbours(self, queries: Sparse) -> Sparse:
        """csr [Q, S]: the cosine with the nearest among the most recent sessions that have something in common."""
        length = np.sqrt(np.asarray(queries.multiply(queries).sum(axis=1)).ravel())
        similar = (queries @ self._units).tocsr()
        similar.eliminate_zeros()
        similar.sort_indices()
        recent = np.arange(similar.nnz) - similar.indptr[kernels.csr_rows(similar)] < self.config.sample
        similar.data = np.where(recent, similar.data / length[kernels.csr_rows(similar)], 0)
        similar.eliminate_zeros()
        return kernels.strongest(similar, self.config.neighbours)

    def state(self) -> State:
        """The sessions."""
        return pack_csr(self._sessions, "sessions")

    def restore(self, state: State) -> Self:
        """From `state`."""
        return self._become(unpack_csr(state, "sessions"))
