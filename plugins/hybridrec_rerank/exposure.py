"""Fairness of exposure: groups of items are exposed in proportion to their number among the candidates."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import PADDING, Dataset, Floats, Ints, Longs, Options, Pool, QueryBatch, Reranker, State
from hybridrec_rerank.groups import counted, padded
from hybridrec_rerank.pool_order import head, moved, unit_range
from hybridrec_rerank.selection import Selection


class ExposureOptions(Options):
    """Options of `exposure`: the weight of relevance, the tags that define groups, and the candidates considered."""

    relevance: float = Field(0.5, ge=0, le=1)
    """Share of relevance in the trade-off; 1 changes nothing."""
    prefix: str = ""
    """Prefix of the tags that define groups (items with the same tag), for example `label:`; empty for all tags."""
    depth: int = Field(100, ge=1)
    """Number of best candidates to consider."""


class Exposure(Reranker):
    """Demographic parity of exposure (Singh and Joachims 2018): each group has the same exposure per candidate.

    The exposure of place j is 1 / log2(1 + j); an item in several groups divides both its exposure and its
    membership among them. Each place goes to the candidate with the highest w r + (1 - w) d, where w is the option
    `relevance`. r is its final score, scaled from 0 to 1 within the candidates considered. d is what its group still
    lacks: the group's share of these candidates, minus the group's share of the exposure given so far. For a candidate
    in several groups d is the mean over them; without a group it is 0.
    """

    name = "exposure"
    fuses = False
    Config = ExposureOptions
    config: ExposureOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the groups of each item; return self."""
        self._groups = padded(counted(data, self.config.prefix))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Choose the first n places greedily; the other candidates follow in their order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        return moved(pool, final, columns, select(unit_range(scores), self._groups[ids], self.config.relevance, n))

    def state(self) -> State:
        """Return the groups of the items."""
        return {"groups": self._groups}

    def restore(self, state: State) -> Self:
        """Take the groups of the items from `state`; return self."""
        self._groups = state["groups"]
        return self


def select(relevance: Floats, groups: Ints, trade: float, n: int) -> Longs:
    """Return the place of each candidate after n greedy choices, int64 [Q, D]; other candidates follow in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf at padding
    groups: int32 [Q, D, m], the groups of each candidate, padded with -1
    trade: the weight of relevance in the trade-off, from 0 to 1
    """
    selection = Selection(relevance, trade, n)
    rows = selection.rows[:, None]
    belongs = ((groups != PADDING) & (relevance > -np.inf)[:, :, None]).astype(np.float32)
    belongs /= np.maximum(belongs.sum(axis=2, keepdims=True), 1)
    # The last column is for the padding, whose membership is 0.
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
