"""Caps: a limit on the items with the same tag in a slate."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import PADDING, Bools, Dataset, Ints, Options, Pool, QueryBatch, Reranker, State
from hybridrec_rerank.groups import counted, padded
from hybridrec_rerank.pool_order import head, lifted, moved


class CapsOptions(Options):
    """Options of `caps`: the limit, the tags to which it applies, and the candidates considered."""

    most: int = Field(2, ge=1)
    """Largest number of items of a slate that have the same tag."""
    prefix: str = ""
    """Prefix of the tags that count, for example `artist:`; empty for all tags."""
    depth: int = Field(200, ge=1)
    """Number of best candidates to consider."""


class Caps(Reranker):
    """Re-ranker that skips a candidate if a tag of it is at its cap; skipped ones only fill places that stay empty."""

    name = "caps"
    fuses = False
    Config = CapsOptions
    config: CapsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the tags of each item that begin with `prefix`; return self."""
        self._tags = padded(counted(data, self.config.prefix))
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank the first n candidates within the caps first, then the others, both in their order."""
        final = pool.fused()
        columns, ids, scores = head(pool, final, self.config.depth)
        taken = admit(self._tags[ids], scores > -np.inf, self.config.most, n)
        return moved(pool, final, columns, lifted(taken))

    def state(self) -> State:
        """Return the tags of the items."""
        return {"tags": self._tags}

    def restore(self, state: State) -> Self:
        """Take the tags of the items from `state`; return self."""
        self._tags = state["tags"]
        return self


def admit(tags: Ints, valid: Bools, most: int, n: int) -> Bools:
    """Mark at most n candidates of each row within the caps: bool [Q, D].

    tags: int32 [Q, D, m], the tags of each candidate, padded with -1
    valid: bool [Q, D], false at padding
    most: the cap, the largest number of candidates with the same tag
    """
    taken = np.zeros(valid.shape, bool)
    rows = np.arange(len(valid))[:, None]
    # The last column counts the padding, and never reaches the cap.
    used = np.zeros((len(valid), int(tags.max(initial=PADDING)) + 2), np.int64)
    for place in range(valid.shape[1]):
        mine = tags[:, place]
        full = ((used[rows, mine] >= most) & (mine != PADDING)).any(axis=1)
        taken[:, place] = valid[:, place] & ~full & (taken.sum(axis=1) < n)
        used[rows, mine] += taken[:, place, None]
    return taken
