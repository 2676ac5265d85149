"""Marginal probabilities of policies: the probability that an id is shown at any place of a slate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybridrec.data.queries import QueryBatch
from hybridrec.stages import kernels
from hybridrec.stages.component import Reranker
from hybridrec.stages.pool import Pool
from hybridrec.types import Floats


def simulated_marginals(policy: Reranker, queries: QueryBatch, pool: Pool, n: int, draws: int = 1000) -> Floats:
    """Estimate the probability that a policy puts each candidate into a slate of n places: float32 [Q, K].

    `pool` is the pool that the policy re-ranks. The policy draws `draws` slates for each query, each for another
    request id, and the estimate is the share of these slates that have the candidate; it is 0 at padding. The standard
    error of a share p is sqrt(p (1 - p) / draws). The shares must not be used to weight a log of shown slates: the
    probability of a whole slate does not follow from them, but is the product of its `Reranker.propensities`.
    """
    shown = np.zeros(pool.ids.shape, np.int64)
    names = queries.ids or tuple(str(row) for row in range(len(queries)))
    for draw in range(draws):
        final = policy.rerank(replace(queries, ids=tuple(f"{name}#{draw}" for name in names)), pool, n).final
        assert final is not None
        np.put_along_axis(shown, best := kernels.order(final, n), np.take_along_axis(shown, best, axis=1) + 1, axis=1)
    return np.where(pool.valid, shown / draws, 0).astype(np.float32)
