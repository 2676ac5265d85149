"""`vsknn`: sessions that share the query's latest items vote for their other items."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    Dataset,
    DenseModel,
    Doubles,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_sessions.recency import Decay, decayed, latest

_CELLS = 1 << 23
"""Number of entries in memory at a time, in a block of queries x items or of the items of neighbours."""


class VSKNNOptions(Options):
    """Options of `vsknn`: the sessions that vote, and the weights of items and votes."""

    sample: int = Field(1000, ge=1)
    """Number of sessions with an item in common that are compared with a query: the nearest in time."""
    neighbours: int = Field(100, ge=1)
    """Number of these sessions that vote: the most similar."""
    decay: Decay = "linear"
    """Weight in the similarity of an item of the query that is n steps before the last: `linear` is 1 - n/10, 0 from 10
    on; `div` is 1 / (1 + n); `none` is 1."""
    closeness: Decay = "div"
    """Weight of a session's vote by the number of steps from the last item of the query that the session has, too, to
    the last item of the query; the values are those of `decay`."""
    idf: float = Field(0.5, ge=0)
    """Power of log(1 + S / n), the weight of votes for an item that n of S sessions have; higher values favour rare
    items."""


class VSKNN(DenseModel):
    """Vector multiplication session-based kNN (Ludewig and Jannach 2018).

    A query is a vector of its items, each with the weight of its latest place (`decay`); a session of the training
    part (a user) is a binary vector. The score of item i is

        idf(i) * sum over the neighbours s that have i of  cosine(q, s) * closeness(q, s)

    Of the sessions that have an item in common with the query, the `sample` sessions nearest to it in time are compared
    with it, and the most similar of these are its neighbours. If the query comes after all sessions, or has no time,
    the nearest sessions are the most recent ones. Without times in the training part, a user with a higher code counts
    as more recent. Items that no neighbour has get no opinion.
    """

    name = "vsknn"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    Config = VSKNNOptions
    config: VSKNNOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the sessions and their end times; return self."""
        times = data.interactions.latest()
        ends = np.arange(len(data.users), dtype=np.float64) if times is None else times
        some = data.interactions.lengths > 0
        return self._become(data.interactions.matrix(binary=True)[some], ends[some], times is not None)

    def _become(self, sessions: Sparse, ends: Doubles, timed: bool) -> Self:
        self._sessions, self._ends, self._timed = sessions, ends, timed
        count = sessions.getnnz(axis=0)
        self._idf = (np.log1p(sessions.shape[0] / np.maximum(count, 1)) ** self.config.idf).astype(np.float32)
        # Transposed, each session at length 1: only the length of the query is missing for the cosine.
        self._units = sessions.T.tocsr()
        self._units.data = np.diff(sessions.indptr)[self._units.indices].astype(np.float32) ** np.float32(-0.5)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the sessions by row and by column, and of another copy while they are built."""
        return 3 * 12 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the weighted sum of the votes, float32 [Q, I]; NaN for items that no neighbour has."""
        n_sessions, n_items = self._sessions.shape
        result = np.empty((len(queries), n_items), np.float32)
        voting = self.config.neighbours * self._sessions.nnz // max(n_sessions, 1)
        rows = max(1, _CELLS // max(n_items, n_sessions, voting))
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            result[block] = (self._votes(queries.take(block)) @ self._sessions).toarray()
        result *= self._idf
        result[result <= 0] = np.nan
        return result

    def _votes(self, queries: QueryBatch) -> Sparse:
        """Return the votes of the neighbours of each query: csr [Q, S]."""
        rows, ids, steps = latest(queries.history)
        shape = (len(queries), queries.history.width)
        vectors = csr_matrix((decayed(steps, self.config.decay), (rows, ids)), shape=shape)
        votes = kernels.strongest(self._similar(vectors, self._asked(queries)), self.config.neighbours)
        places = np.zeros(shape, np.float32)
        places[rows, ids] = decayed(steps, self.config.closeness)
        members = self._sessions[votes.indices]
        closeness = places[np.repeat(kernels.csr_rows(votes), np.diff(members.indptr)), members.indices]
        if len(closeness):
            votes.data *= np.maximum.reduceat(closeness, members.indptr[:-1])
        return votes

    def _asked(self, queries: QueryBatch) -> Doubles:
        """Return the time at which each query is asked: float64 [Q].

        For a query without a time it is the time of its latest item. If that is unknown, too, it is the time of the
        latest session.
        """
        asked = np.full(len(queries), np.nan)
        for times in (queries.times, queries.history.latest()):
            if self._timed and times is not None:
                asked = np.where(np.isnan(asked), times, asked)
        return np.where(np.isnan(asked), np.nanmax(self._ends, initial=0), asked)

    def _similar(self, vectors: Sparse, asked: Doubles) -> Sparse:
        """Return the cosines of queries with sessions: csr [Q, S].

        Of the sessions with an item in common, only the `sample` nearest in time have an entry.
        """
        similar = (vectors @ self._units).tocsr()
        similar.eliminate_zeros()
        rows = kernels.csr_rows(similar)
        length = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
        similar.data /= length[rows]
        apart = np.nan_to_num(np.abs(self._ends[similar.indices] - asked[rows]), nan=np.inf)
        near = kernels.strongest(
            csr_matrix((-apart, similar.indices, similar.indptr), shape=similar.shape), self.config.sample
        )
        near.data = np.ones(near.nnz, np.float32)
        return similar.multiply(near).tocsr()

    def state(self) -> State:
        """Return the sessions, their end times, and a flag: true if the data had these times."""
        return pack_csr(self._sessions, "sessions") | {"ends": self._ends, "timed": np.array(self._timed)}

    def restore(self, state: State) -> Self:
        """Take the sessions, their end times and the flag from `state`; return self."""
        return self._become(unpack_csr(state, "sessions"), state["ends"], bool(state["timed"]))
