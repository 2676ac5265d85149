"""Calibration: the mix of tags in the slate is brought close to the mix in the query's history."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import diags

from hybridrec import (
    PADDING,
    Dataset,
    Floats,
    Ints,
    Longs,
    Options,
    Pool,
    QueryBatch,
    Reranker,
    Sparse,
    State,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_rerank.groups import counted
from hybridrec_rerank.pool_order import head, moved, unit_range
from hybridrec_rerank.selection import Selection

BLUR = 0.01
"""Share of the history's mix that is added to the slate's, so that its logarithm exists (alpha of the paper)."""


class CalibrationOptions(Options):
    """Options of `calibration`: the weight of relevance, the tags that count, and the candidates considered."""

    relevance: float = Field(0.5, ge=0, le=1)
    """Share of relevance in the trade-off (1 - lambda of the paper); 1 changes nothing."""
    prefix: str = ""
    """Prefix of the tags that count, for example `genre:`; empty for all tags."""
    tags: int = Field(32, ge=1)
    """Number of tags of a history to consider, the most frequent ones."""
    depth: int = Field(100, ge=1)
    """Number of best candidates to consider."""


class Calibration(Reranker):
    """Calibrated recommendations (Steck 2018): the slate's mix of tags stays close to the history's.

    Each place goes to the candidate that adds most to w sum(r) - (1 - w) KL(p || q), where w is the option `relevance`.
    r are the final scores of the items of the slate, scaled from 0 to 1 within the candidates considered. p is the mean
    of the tag shares of the history's items, weighted by the items' weights; q is the mean of the tag shares of the
    slate's items, smoothed as 0.99 q + 0.01 p. For a history without tags the order does not change.
    """

    name = "calibration"
    fuses = False
    Config = CalibrationOptions
    config: CalibrationOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute the tag shares of each item, which sum to 1; return self."""
        tags = counted(data, self.config.prefix)
        sums = np.asarray(tags.sum(axis=1), np.float32).ravel()
        self._shares = (diags(1 / np.where(sums > 0, sums, 1)) @ tags).astype(np.float32).tocsr()
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Choose the first n places greedily; the other candidates follow in their order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        tags, wanted = mixes(queries.history.matrix() @ self._shares, self.config.tags)
        shares = _at(self._shares, ids, tags)
        return moved(pool, final, columns, select(unit_range(scores), shares, wanted, self.config.relevance, n))

    def state(self) -> State:
        """Return the tag shares of the items."""
        return pack_csr(self._shares, "shares")

    def restore(self, state: State) -> Self:
        """Take the tag shares from `state`; return self."""
        self._shares = unpack_csr(state, "shares")
        return self


def select(relevance: Floats, shares: Floats, wanted: Floats, trade: float, n: int) -> Longs:
    """Return the place of each candidate after n greedy choices, int64 [Q, D]; other candidates follow in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf at padding
    shares: float32 [Q, D, m], the mix of each candidate over m tags of its query
    wanted: float32 [Q, m], the mix to match: rows sum to 1, or to 0 where it is unknown
    trade: the weight of relevance in the trade-off, from 0 to 1
    """
    selection = Selection(relevance, trade, n)
    slate = np.zeros_like(wanted)
    for place in selection.steps:
        mix = (1 - BLUR) * (slate[:, None] + shares) / (place + 1) + BLUR * wanted[:, None]
        # -KL(p || q) is sum(p log q) plus terms that do not depend on the choice.
        chosen = selection.take(place, np.einsum("qdm,qm->qd", np.log(np.maximum(mix, 1e-30)), wanted))
        slate += shares[selection.rows, chosen]
    return selection.places


def mixes(profiles: Sparse, m: int) -> tuple[Longs, Floats]:
    """Return the columns and the values of the m largest entries of each row of `profiles`, csr [Q, tags].

    Columns are int64 [Q, m], padded with -1; values are float32 [Q, m], scaled to the sum 1.
    """
    columns, values = kernels.top_k(np.where(profiles.toarray() > 0, profiles.toarray(), -np.inf).astype(np.float32), m)
    values = np.nan_to_num(values, nan=0.0)
    sums = values.sum(axis=1, keepdims=True)
    return columns.astype(np.int64), (values / np.where(sums > 0, sums, 1)).astype(np.float32)


def _at(shares: Sparse, ids: Ints, tags: Longs) -> Floats:
    """Return the shares that the m tags of a query have in each of its D candidates: float32 [Q, D, m].

    shares: csr [I, T], the shares of all tags in all items
    ids: int32 [Q, D], the candidates, padded with -1
    tags: int64 [Q, m], the tags of the queries, padded with -1
    """
    (queries, depth), m = ids.shape, tags.shape[1]
    place = np.full((queries, shares.shape[1] + 1), m, np.int64)  # the last column receives the padding
    np.put_along_axis(place, tags, np.arange(m)[None, :].repeat(queries, axis=0), axis=1)
    place[:, -1] = m
    picked = shares[np.maximum(ids, 0).ravel()]
    row = kernels.csr_rows(picked)
    result = np.zeros((queries * depth, m + 1), np.float32)
    result[row, place[row // depth, picked.indices]] = picked.data
    result[(ids == PADDING).ravel()] = 0
    return result[:, :m].reshape(queries, depth, m)
