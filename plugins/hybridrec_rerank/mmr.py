"""Maximal marginal relevance: each place goes to what is relevant and unlike what stands above it."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Floats, Longs, Pool, QueryBatch
from hybridrec_rerank.order import fused, head, moved, unit_range
from hybridrec_rerank.selection import Selection
from hybridrec_rerank.similarity import Likeness, LikenessOptions

_QUERIES = 64
"""Queries whose candidates' vectors exist at once: they stay in the processor's cache."""


class MMROptions(LikenessOptions):
    """Options of `mmr`."""

    relevance: float = Field(0.8, ge=0, le=1)
    """Share of relevance in the trade (lambda of the paper); 1 changes nothing."""


class MMR(Likeness):
    """Maximal marginal relevance (Carbonell and Goldstein 1998) on cosines of item vectors.

    Place by place the candidate with the highest lambda r - (1 - lambda) s is taken: r is its final score
    on a scale from 0 to 1 within the candidates looked at, s its largest cosine with what was taken.
    """

    name = "mmr"
    Config = MMROptions
    config: MMROptions

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The first n places anew, the others behind them in their order."""
        final = fused(pool, self.name)
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        relevance, places = unit_range(scores), np.empty(ids.shape, np.int64)
        # The vectors of all candidates of all queries would be much larger than the pool.
        for start in range(0, len(ids), _QUERIES):
            rows = slice(start, start + _QUERIES)
            places[rows] = select(relevance[rows], self._vectors[ids[rows]], self.config.relevance, n)
        return moved(pool, final, columns, places)


def select(relevance: Floats, vectors: Floats, trade: float, n: int) -> Longs:
    """The place of each candidate after n greedy choices, int64 [Q, D]; who was not chosen stands behind, in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf where there is no candidate
    vectors: float32 [Q, D, dim], of length 1
    """
    selection = Selection(relevance, trade, n)
    nearest = np.full(relevance.shape, -1, np.float32)
    for place in selection.steps:
        chosen = selection.take(place, -nearest)
        taken = vectors[selection.rows, chosen][:, :, None]
        np.maximum(nearest, np.matmul(vectors, taken)[:, :, 0], out=nearest)
    return selection.places
