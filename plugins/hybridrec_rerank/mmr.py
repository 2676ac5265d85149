"""Maximal marginal relevance: each place goes to a candidate that is relevant and unlike all items above."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Floats, Longs, Pool, QueryBatch
from hybridrec_rerank.pool_order import head, moved, unit_range
from hybridrec_rerank.selection import Selection
from hybridrec_rerank.similarity import Likeness, LikenessOptions

_QUERIES = 64
"""Number of queries whose candidates' vectors are in memory at a time, few enough for the processor's cache."""


class MMROptions(LikenessOptions):
    """Options of `mmr`: the weight of relevance, and the definition of similarity."""

    relevance: float = Field(0.8, ge=0, le=1)
    """Share of relevance in the trade-off (lambda of the paper); 1 changes nothing."""


class MMR(Likeness):
    """Maximal marginal relevance (Carbonell and Goldstein 1998) on cosines of item vectors.

    Each place goes to the candidate with the highest lambda r - (1 - lambda) s, where lambda is the option `relevance`.
    r is its final score, scaled from 0 to 1 within the candidates considered; s is its largest cosine with an item
    that already has a place.
    """

    name = "mmr"
    Config = MMROptions
    config: MMROptions

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Choose the first n places greedily; the other candidates follow in their order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        relevance, places, units = unit_range(scores), np.empty(ids.shape, np.int64), self.units(pool.target)
        # In blocks, because the vectors of all candidates of all queries would be much larger than the pool.
        for start in range(0, len(ids), _QUERIES):
            rows = slice(start, start + _QUERIES)
            places[rows] = select(relevance[rows], units[ids[rows]], self.config.relevance, n)
        return moved(pool, final, columns, places)


def select(relevance: Floats, vectors: Floats, trade: float, n: int) -> Longs:
    """Return the place of each candidate after n greedy choices, int64 [Q, D]; other candidates follow in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf at padding
    vectors: float32 [Q, D, dim], the vectors of the candidates, of length 1
    trade: the weight of relevance in the trade-off, from 0 to 1
    """
    selection = Selection(relevance, trade, n)
    nearest = np.full(relevance.shape, -1, np.float32)
    for place in selection.steps:
        chosen = selection.take(place, -nearest)
        taken = vectors[selection.rows, chosen][:, :, None]
        np.maximum(nearest, np.matmul(vectors, taken)[:, :, 0], out=nearest)
    return selection.places
