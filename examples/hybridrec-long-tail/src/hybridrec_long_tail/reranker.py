"""`long-tail`: a business rule that limits the hits in a slate."""

from __future__ import annotations

from typing import Self

import numpy as np
from hybridrec import Dataset, Options, Pool, QueryBatch, Reranker, State, kernels
from pydantic import Field


class LongTailOptions(Options):
    """Options of `long-tail`."""

    head: float = Field(0.1, gt=0, lt=1)
    """Share of the items, the most popular ones, to which the rule applies."""
    most: int = Field(5, ge=0)
    """Most of these items in a slate as long as there are others."""


class LongTail(Reranker):
    """Re-ranker that lets at most `most` of the most popular items rank above other items.

    The remaining ones follow all others, in their order. It belongs at the end of a chain; on its own, it ranks by
    the sum of the columns, each normalised to one scale.
    """

    name = "long-tail"
    targets = ("items",)
    fuses = True
    Config = LongTailOptions
    config: LongTailOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Find the most popular items: those with the most users, ties by the lower code."""
        users = data.interactions.matrix(binary=True).getnnz(axis=0)
        order = np.argsort(-users, kind="stable")
        self._popular = np.zeros(len(users), bool)
        self._popular[order[: round(self.config.head * len(users))]] = True
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Return the pool with `final` as the number of candidates ranked below each."""
        final = pool.final
        if final is None:
            columns = [np.nan_to_num(kernels.zscore(values), nan=0.0) for values in pool.columns.values()]
            final = pool.ranked(np.sum(columns, axis=0, dtype=np.float32)).final
        assert final is not None
        order = kernels.order(final)
        popular = np.take_along_axis(self._popular[pool.ids] & pool.valid, order, axis=1)
        surplus = popular & (np.cumsum(popular, axis=1) > self.config.most)
        moved = np.take_along_axis(order, np.argsort(surplus, axis=1, kind="stable"), axis=1)
        ranks = np.empty(order.shape, np.float32)
        np.put_along_axis(ranks, moved, np.arange(order.shape[1], 0, -1, dtype=np.float32)[None, :], axis=1)
        return pool.ranked(ranks)

    def state(self) -> State:
        """Return the mask of popular items."""
        return {"popular": self._popular}

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._popular = state["popular"]
        return self
