"""Fairness of exposure: groups of items are seen in proportion to their number among the candidates."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import PADDING, Dataset, Floats, Ints, Longs, Options, Pool, QueryBatch, Reranker, State
from hybridrec_rerank.groups import counted, padded
from hybridrec_rerank.order import fused, head, moved, unit_range
from hybridrec_rerank.selection import Selection


class ExposureOptions(Options):
    """Options of `exposure`."""

    relevance: float = Field(0.5, ge=0, le=1)
    """Share of relevance in the trade; 1 changes nothing."""
    prefix: str = ""
    """Items with the same tag are a group, only tags that begin so count, for example `label:`; empty: all."""
    depth: int = Field(100, ge=1)
    """How many of the best candidates are looked at."""


class Exposure(Reranker):
    """Demographic parity of exposure (Singh and Joachims 2018): each group has the same exposure a candidate.

    The exposure of place j is 1 / log2(1 + j); an item in several groups divides its exposure among them, and
    so its membership. Place by place the candidate with the highest relevance r + (1 - relevance) d is taken:
    r is its final score on a scale from 0 to 1 within the candidates looked at, d the mean over its groups of
    the group's share among these candidates minus its share of the exposure so far. Items of no group have d = 0.
    """

    name = "exposure"
    fuses = False
    Config = ExposureOptions
    config: ExposureOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """The groups of each item."""
        self._groups = padded(counted(data, self.config.prefix))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The first n places anew, the others behind them in their order."""
        final = fused(pool, self.name)
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        return moved(pool, final, columns, select(unit_range(scores), self._groups[ids], self.config.relevance, n))

    def state(self) -> State:
        """The groups."""
        return {"groups": self._groups}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._groups = state["groups"]
        return self


def select(relevance: Floats, groups: Ints, trade: float, n: int) -> Longs:
    """The place of each candidate after n greedy choices, int64 [Q, D]; who was not chosen stands behind, in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf where there is no candidate
    groups: int32 [Q, D, m], -1 where there are fewer
    """
    selection = Selection(relevance, trade, n)
    rows = selection.rows[:, None]
    belongs = ((groups != PADDING) & (relevance > -np.inf)[:, :, None]).astype(np.float32)
    belongs /= np.maximum(belongs.sum(axis=2, keepdims=True), 1)
    # The last column belongs to the padding, whose membership is 0.
    wanted = np.zeros((len(groups), int(groups.max(initial=PADDING)) + 2), np.float32)
    np.add.at(wanted, (rows[:, :, None], groups), belongs)
    wanted /= np.maximum(wanted.sum(axis=1, keepdims=True), 1)
    given = np.zeros_like(wanted)
    for place in selection.steps:
        lacking = wanted - given / np.maximum(given.sum(axis=1, keepdims=True), 1)
        chosen = selection.take(place, (belongs * lacking[rows[:, :, None], groups]).sum(axis=2))
        seen = belongs[selection.rows, chosen] / np.float32(np.log2(place + 2))
        np.add.at(given, (rows, groups[selection.rows, chosen]), seen)
    return selection.places
