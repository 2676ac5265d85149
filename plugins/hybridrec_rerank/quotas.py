"""Quotas: the smallest and the largest number of places of a slate for the candidates of a generator."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from hybridrec import Bools, GeneratorLabel, Longs, Options, Pool, QueryBatch, Reranker
from hybridrec_rerank.pool_order import head, lifted, moved

UNLIMITED = np.iinfo(np.int32).max


class Quota(Options):
    """Number of places of a slate for the candidates of one generator."""

    at_least: int = Field(0, ge=0)
    """Smallest number of places, as far as the generator proposed enough candidates."""
    at_most: int | None = Field(None, ge=0)
    """Largest number of places; null for no limit."""


class QuotasOptions(Options):
    """Options of `quotas`: the quota of each generator, and the candidates considered."""

    sources: dict[GeneratorLabel, Quota] = Field(min_length=1, examples=[{"popularity": {"at_least": 3}}])
    """Label of a generator -> its quota, for example `{word2vec: {at_least: 3}, als: {at_most: 10}}`. A candidate
    that several generators proposed counts for each of them."""
    depth: int = Field(200, ge=1)
    """Number of best candidates to consider."""

    @field_validator("sources")
    @classmethod
    def _ordered(cls, sources: dict[str, Quota]) -> dict[str, Quota]:
        for label, quota in sources.items():
            if not quota.at_least and quota.at_most is None:
                raise ValueError(f"'{label}' has no quota; set at_least or at_most, or leave '{label}' out")
            if quota.at_most is not None and quota.at_least > quota.at_most:
                raise ValueError(f"{label}: at_least {quota.at_least} is more than at_most {quota.at_most}")
        return sources


class Quotas(Reranker):
    """Re-ranker that takes the best candidates within every generator's quota; the others fill the remaining places.

    First each generator gets its best candidates, as many as `at_least` says. Then the best candidates of all
    generators fill the remaining places, but no more than `at_most` of one generator. The slate is in the order of
    the final score.
    """

    name = "quotas"
    fuses = False
    Config = QuotasOptions
    config: QuotasOptions

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank n candidates within the quotas first, then the others, both in the order of the final score."""
        final = pool.fused()
        columns, _, scores = head(pool, final, self.config.depth)
        sources = {label: quota for label, quota in self.config.sources.items() if label in pool.generators}
        proposed = np.zeros((*columns.shape, len(sources)), bool)
        for place, label in enumerate(sources):
            proposed[:, :, place] = np.take_along_axis(pool.proposed_by(label), columns, axis=1)
        least = np.array([quota.at_least for quota in sources.values()], np.int64)
        most = np.array([UNLIMITED if q.at_most is None else q.at_most for q in sources.values()], np.int64)
        taken = admit(proposed, scores > -np.inf, least, most, n)
        return moved(pool, final, columns, lifted(taken))


def admit(proposed: Bools, valid: Bools, least: Longs, most: Longs, n: int) -> Bools:
    """Mark at most n candidates of each row within the quotas: bool [Q, D].

    proposed: bool [Q, D, G], true for the generators that proposed the candidate
    valid: bool [Q, D], false at padding
    least, most: int64 [G], the smallest and the largest number of places of each generator
    """
    taken = np.zeros(valid.shape, bool)
    used = np.zeros((len(valid), len(least)), np.int64)
    count = np.zeros(len(valid), np.int64)
    for reserved in (True, False):
        for place in range(valid.shape[1]):
            mine = proposed[:, place]
            fits = valid[:, place] & ~taken[:, place] & (count < n) & ~(mine & (used >= most)).any(axis=1)
            if reserved:
                fits &= (mine & (used < least)).any(axis=1)
            taken[:, place] |= fits
            used += mine & fits[:, None]
            count += fits
    return taken
