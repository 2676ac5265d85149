"""`markov`: the usual successors of the last item."""

from __future__ import annotations

from typing import Self

import numpy as np
from hybridrec import Dataset, DenseModel, Floats, Options, QueryBatch, State, Target, pack_csr, unpack_csr
from pydantic import Field
from scipy.sparse import csr_matrix


class MarkovOptions(Options):
    """Options of `markov`."""

    smoothing: float = Field(5.0, gt=0)
    """Number of additional transitions from each item with which the overall shares are counted."""


class Markov(DenseModel):
    """First-order Markov chain: the score of item i after the query's last item l is

        P(i | l) = (n(l, i) + a p(i)) / (n(l) + a)

    n counts how often i directly follows l in the training histories, p is the share of i among all successors, a
    the `smoothing`. Only the last item of a query counts.
    """

    name = "markov"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    Config = MarkovOptions
    config: MarkovOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the transitions within each history."""
        history, n = data.interactions, len(data.items)
        within = history.rows[1:] == history.rows[:-1]
        before, after = history.ids[:-1][within], history.ids[1:][within]
        self._follows = csr_matrix((np.ones(len(before), np.float32), (before, after)), shape=(n, n))
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, N]; NaN for queries without a known item."""
        after = np.asarray(self._follows.sum(axis=1)).ravel()
        overall = np.asarray(self._follows.sum(axis=0)).ravel() / max(after.sum(), 1)
        scores = np.full((len(queries), len(overall)), np.nan, np.float32)
        asked = np.flatnonzero(queries.has("items"))
        last = queries.history.take(asked).last(1).ids
        a = self.config.smoothing
        scores[asked] = (self._follows[last].toarray() + a * overall) / (after[last] + a)[:, None]
        return scores

    def state(self) -> State:
        """Return the counts."""
        return pack_csr(self._follows, "follows")

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._follows = unpack_csr(state, "follows")
        return self
