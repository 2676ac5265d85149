"""`kind-odds`: recommends venues, artists or other entities of users by the odds of the items in the query."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    EVERY_KIND,
    ITEMS,
    Dataset,
    DenseModel,
    Floats,
    Options,
    QueryBatch,
    State,
    Target,
    pack_csr,
    unpack_csr,
)


class KindOddsOptions(Options):
    """Options of `kind-odds`."""

    smoothing: float = Field(0.5, gt=0)
    """Count that is added for each pair of item and entity: with larger values rare pairs count less."""


class KindOdds(DenseModel):
    """Naive Bayes: log P(entity) plus the sum of log P(item | entity) over the query's items, up to a constant."""

    name = "kind-odds"
    targets = (EVERY_KIND,)
    needs = frozenset({"items"})
    folds_in = True
    Config = KindOddsOptions
    config: KindOddsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> KindOdds:
        """Count the users who have both an item and an entity, for each pair of them; return self.

        Pairs that no user has are not stored, so that the matrices stay sparse: the count of each is `smoothing`.
        """
        had, smoothing = data.user_matrix(ITEMS), self.config.smoothing
        self._learned: dict[str, NDArray[Any]] = {"kinds": np.array(data.targets, str)}
        for target in data.targets:
            has = data.user_matrix(target).sign()
            together = csr_matrix(had.T @ has, dtype=np.float32)
            totals = np.asarray(together.sum(axis=0)).ravel() + smoothing * had.shape[1]
            users = np.asarray(has.sum(axis=0)).ravel()
            together.data = np.log1p(together.data / smoothing)
            self._learned |= pack_csr(together, target)
            self._learned[f"{target}.missing"] = (np.log(smoothing) - np.log(totals)).astype(np.float32)
            self._learned[f"{target}.prior"] = np.log(users + smoothing).astype(np.float32)
        return self.restore(self._learned)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the log-probabilities, float32 [Q, N]; NaN for queries without items."""
        if target not in self._together:
            return np.full((len(queries), queries.width(target)), np.nan, np.float32)
        history = queries.history.matrix(binary=True)
        scores = (history @ self._together[target]).toarray() + self._learned[f"{target}.prior"]
        scores += np.diff(history.indptr)[:, None] * self._learned[f"{target}.missing"]
        scores[~queries.has("items")] = np.nan
        return scores.astype(np.float32)

    def state(self) -> State:
        """Return the logs of the counts, and the constants, of each kind."""
        return self._learned

    def restore(self, state: State) -> KindOdds:
        """Take the logs of the counts, and the constants, from `state`; return self."""
        self._learned = dict(state)
        self._together = {kind: unpack_csr(state, kind) for kind in map(str, state["kinds"])}
        return self
