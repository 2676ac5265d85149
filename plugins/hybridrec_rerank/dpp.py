"""Determinantal point process: the relevant slate whose item vectors span the largest volume."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Floats, Longs, Pool, QueryBatch
from hybridrec_rerank.pool_order import head, moved, unit_range
from hybridrec_rerank.selection import Selection
from hybridrec_rerank.similarity import Likeness, LikenessOptions

SMALLEST = 1e-6
"""Lower bound of an item's squared distance from the span of the slate; below it the item adds no volume."""


class DPPOptions(LikenessOptions):
    """Options of `dpp`: the weight of relevance, and the definition of similarity."""

    relevance: float = Field(0.8, ge=0, le=1)
    """Share of relevance in the trade-off (theta of the paper); 1 changes nothing."""


class DPP(Likeness):
    """Greedy MAP inference for a determinantal point process (Chen, Zhang and Zhou 2018).

    Each place goes to the candidate that adds most to theta sum(r) + (1 - theta) log det(S), where theta is the option
    `relevance`. r are the final scores of the items of the slate, scaled from 0 to 1 within the candidates considered;
    S is the matrix of the cosines of these items with each other. Unlike `mmr`, which compares a candidate with the
    most similar item only, it considers the slate as a whole.
    """

    name = "dpp"
    Config = DPPOptions
    config: DPPOptions

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Choose the first n places greedily; the other candidates follow in their order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        alike = self.units(pool.target)[ids]
        return moved(pool, final, columns, select(unit_range(scores), alike, self.config.relevance, n))


def select(relevance: Floats, vectors: Floats, trade: float, n: int) -> Longs:
    """Return the place of each candidate after n greedy choices, int64 [Q, D]; other candidates follow in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf at padding
    vectors: float32 [Q, D, dim], the vectors of the candidates, of length 1 or 0
    trade: the weight of relevance in the trade-off, from 0 to 1

    S is the matrix of the cosines of the chosen items. Its Cholesky factor gets one more row with each choice, so
    log det(S) costs one product for each place.
    """
    selection = Selection(relevance, trade, n)
    factor = np.zeros((*relevance.shape, len(selection.steps)), np.float32)
    room = np.ones(relevance.shape, np.float32)  # squared distance from the span of the slate
    for place in selection.steps:
        chosen = selection.take(place, np.log(np.maximum(room, SMALLEST)))
        cosine = np.matmul(vectors, vectors[selection.rows, chosen][:, :, None])[:, :, 0]
        explained = np.matmul(factor[:, :, :place], factor[selection.rows, chosen, :place, None])[:, :, 0]
        left = room[selection.rows, chosen][:, None]
        row = np.where(left > SMALLEST, (cosine - explained) / np.sqrt(np.maximum(left, SMALLEST)), 0)
        factor[:, :, place] = row
        room -= row**2
    return selection.places
