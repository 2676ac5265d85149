"""`markov-chain`: successors of the last items of a history."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import Dataset, DenseModel, Floats, Options, QueryBatch, State, Target, pack_csr, unpack_csr
from hybridrec_sessions.recency import steps_from_end


class MarkovChainOptions(Options):
    """Options of `markov-chain`."""

    smoothing: float = Field(5.0, gt=0)
    """Number of additional transitions from each item with which the shares of all successors are counted."""
    context: int = Field(1, ge=1)
    """Number of a query's last items that count; 1 is the plain chain."""
    decay: float = Field(0.5, gt=0, le=1)
    """With a `context` above 1: weight of an item relative to the next later one."""


class MarkovChain(DenseModel):
    """First-order Markov chain: the successor of an item depends on that item alone.

        P(i | l) = (n(l, i) + a p(i)) / (n(l) + a)

    n counts how often i directly follows l in the histories of the training part, p is the share of i among all
    successors, a the `smoothing` (a Dirichlet prior; Zhai and Lafferty 2001). The score is the mean of P over the last
    items, weighted by the powers of `decay`: 1 for the last, d, d^2, ... for those before.
    """

    name = "markov-chain"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    Config = MarkovChainOptions
    config: MarkovChainOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the transitions within each history."""
        history, n = data.interactions, len(data.items)
        within = np.diff(history.rows) == 0
        steps = (history.ids[:-1][within], history.ids[1:][within])
        self._follows = csr_matrix((np.ones(len(steps[0]), np.float32), steps), shape=(n, n))
        return self._prepared()

    def _prepared(self) -> Self:
        """Prepare the probabilities that `scores` mixes: the share of the counts, and the rest for all successors."""
        a = np.float32(self.config.smoothing)
        total = np.asarray(self._follows.sum(axis=1)).ravel() + a
        followers = np.asarray(self._follows.sum(axis=0)).ravel()
        self._seen = self._follows.copy()
        self._seen.data = self._seen.data / np.repeat(total, np.diff(self._seen.indptr))
        self._left = a / total
        self._overall = followers / max(followers.sum(), 1)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of one transition per interaction, as pairs and as two matrices."""
        return 40 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, N]; NaN for queries without items."""
        last = queries.history.last(self.config.context)
        weights = np.float32(self.config.decay) ** steps_from_end(last)
        context = csr_matrix((weights, last.ids, last.offsets), shape=(len(last), last.width))
        total = np.asarray(context.sum(axis=1))
        mixed = (context @ self._seen).toarray() + (context @ self._left)[:, None] * self._overall
        return mixed / np.where(total > 0, total, np.float32(np.nan))

    def state(self) -> State:
        """Return the counts."""
        return pack_csr(self._follows, "follows")

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._follows = unpack_csr(state, "follows")
        return self._prepared()
