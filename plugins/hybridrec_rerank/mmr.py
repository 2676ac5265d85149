"""Maximal marginal relevance: each place goes to what is relevant and unlike what stands above it."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field

from hybridrec import Dataset, Floats, Longs, Options, Pool, QueryBatch, Reranker, Sparse, State
from hybridrec_rerank.order import fused, head, moved

_QUERIES = 64
"""Queries whose candidates' vectors exist at once: they stay in the processor's cache."""


class MMROptions(Options):
    """Options of `mmr`."""

    relevance: float = Field(0.8, ge=0, le=1)
    """Share of relevance in the trade (lambda of the paper); 1 changes nothing."""
    alike: Literal["users", "tags"] = "users"
    """What makes two items alike: the same users have them, or the same tags describe them."""
    dim: int = Field(64, ge=1)
    """Dimensions of the vectors that likeness is measured on."""
    depth: int = Field(100, ge=1)
    """How many of the best candidates are looked at."""


class MMR(Reranker):
    """Maximal marginal relevance (Carbonell and Goldstein 1998) on cosines of item vectors.

    Place by place the candidate with the highest lambda r - (1 - lambda) s is taken: r is its final score
    on a scale from 0 to 1 within the candidates looked at, s its largest cosine with what was taken. The
    vectors are a truncated SVD of who has an item, or of its tags.
    """

    name = "mmr"
    Config = MMROptions
    config: MMROptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """A unit vector per item."""
        described = data.item_tags if self.config.alike == "tags" else data.interactions.matrix(binary=True).T.tocsr()
        self._vectors = _units(_reduced(described, self.config.dim, rng))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The first n places anew, the others behind them in their order."""
        final = fused(pool, self.name)
        columns, ids, scores = head(pool, final, self.config.depth)
        if not ids.size:
            return pool.ranked(final)
        relevance, places = _unit_range(scores), np.empty(ids.shape, np.int64)
        # The vectors of all candidates of all queries would be much larger than the pool.
        for start in range(0, len(ids), _QUERIES):
            rows = slice(start, start + _QUERIES)
            places[rows] = select(relevance[rows], self._vectors[ids[rows]], self.config.relevance, n)
        return moved(pool, final, columns, places)

    def state(self) -> State:
        """The vectors."""
        return {"vectors": self._vectors}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._vectors = state["vectors"]
        return self


def select(relevance: Floats, vectors: Floats, trade: float, n: int) -> Longs:
    """The place of each candidate after n greedy choices, int64 [Q, D]; who was not chosen stands behind, in order.

    relevance: float32 [Q, D], best first, from 0 to 1, -inf where there is no candidate
    vectors: float32 [Q, D, dim], of length 1
    """
    queries, depth = relevance.shape
    rows = np.arange(queries)
    places = np.tile(np.arange(depth) + n, (queries, 1))
    open_gain = np.where(relevance > -np.inf, np.float32(trade) * np.maximum(relevance, 0), np.float32(-np.inf))
    nearest = np.full(relevance.shape, -1, np.float32)
    for place in range(min(n, depth)):
        chosen = np.argmax(open_gain - np.float32(1 - trade) * nearest, axis=1)
        there = open_gain[rows, chosen] > -np.inf
        places[rows[there], chosen[there]] = place
        open_gain[rows, chosen] = -np.inf
        np.maximum(nearest, np.matmul(vectors, vectors[rows, chosen][:, :, None])[:, :, 0], out=nearest)
    return places


def _unit_range(scores: Floats) -> Floats:
    """Each row from 0 to 1; -inf stays."""
    known = scores > -np.inf
    low = np.min(scores, axis=1, keepdims=True, where=known, initial=np.inf)
    width = np.max(scores, axis=1, keepdims=True, where=known, initial=-np.inf) - low
    scaled = np.where(known, scores, 0) - np.where(known, low, 0)
    return np.where(known, scaled / np.where(width > 0, width, 1), -np.inf).astype(np.float32)


def _reduced(matrix: Sparse, dim: int, rng: np.random.Generator) -> Floats:
    """Rows in `dim` dimensions: left singular vectors times singular values, or the rows themselves if few."""
    from scipy.sparse.linalg import svds

    if not matrix.nnz:
        return np.zeros((matrix.shape[0], 1), np.float32)
    if min(matrix.shape) <= dim:
        return matrix.toarray().astype(np.float32)
    left, values, _ = svds(matrix.astype(np.float64), k=dim, v0=rng.standard_normal(min(matrix.shape)))
    return (left * values).astype(np.float32)


def _units(rows: Floats) -> Floats:
    """Each row at length 1; a row of zeros is like nothing and stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
