"""`markov-chain`: recommends items that often follow the last items of a history."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import Dataset, DenseModel, Floats, Options, QueryBatch, State, Target, kernels, pack_csr, unpack_csr
from hybridrec_sessions.recency import steps_from_end


class MarkovChainOptions(Options):
    """Options of `markov-chain`: the smoothing of transitions, and the items of a query that count."""

    smoothing: float = Field(5.0, gt=0)
    """Number of imaginary transitions, with the overall shares of successors, that are added to each item: large values
    pull the successors of rare items towards the overall shares."""
    context: int = Field(1, ge=1)
    """Number of the last items of a query that count; 1 is the plain chain."""
    decay: float = Field(0.5, gt=0, le=1)
    """With a `context` above 1: weight of an item relative to the item after it."""


class MarkovChain(DenseModel):
    """First-order Markov chain: the successor of an item depends on that item alone.

        P(i | l) = (n(l, i) + a p(i)) / (n(l) + a)

    n(l, i) counts how often i directly follows l in the histories of the training part, n(l) sums this over all i; p is
    the share of i among all successors, a is the `smoothing` (a Dirichlet prior; Zhai and Lafferty 2001). The score is
    the mean of P over the last items, weighted by the powers of `decay` d: 1 for the last item, d, d^2, ... for those
    before.
    """

    name = "markov-chain"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    Config = MarkovChainOptions
    config: MarkovChainOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the transitions within the histories; return self."""
        history, n = data.interactions, len(data.items)
        within = np.diff(history.rows) == 0
        steps = (history.ids[:-1][within], history.ids[1:][within])
        self._follows = csr_matrix((np.ones(len(steps[0]), np.float32), steps), shape=(n, n))
        return self._prepared()

    def _prepared(self) -> Self:
        """Compute the parts of the probabilities that come from counts and from the smoothing; return self."""
        a = np.float32(self.config.smoothing)
        total = np.asarray(self._follows.sum(axis=1)).ravel() + a
        followers = np.asarray(self._follows.sum(axis=0)).ravel()
        self._seen = self._follows.copy()
        self._seen.data = self._seen.data / np.repeat(total, np.diff(self._seen.indptr))
        self._left = a / total
        self._overall = followers / max(followers.sum(), 1)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of a transition for each interaction, as pairs and in two matrices."""
        return 40 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the mean probabilities of items to be next, float32 [Q, I]; NaN for queries without items."""
        last = queries.history.last(self.config.context)
        weights = np.float32(self.config.decay) ** steps_from_end(last)
        context = csr_matrix((weights, last.ids, last.offsets), shape=(len(last), last.width))
        total = np.asarray(context.sum(axis=1))
        mixed = kernels.dense_product(context, self._seen) + (context @ self._left)[:, None] * self._overall
        return mixed / np.where(total > 0, total, np.float32(np.nan))

    def state(self) -> State:
        """Return the counts of transitions."""
        return pack_csr(self._follows, "follows")

    def restore(self, state: State) -> Self:
        """Take the counts of transitions from `state`; return self."""
        self._follows = unpack_csr(state, "follows")
        return self._prepared()
