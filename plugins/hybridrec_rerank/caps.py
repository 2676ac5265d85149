"""Caps: not too many items with the same tag in a slate."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from hybridrec import PADDING, Bools, Dataset, Ints, Options, Pool, QueryBatch, Reranker, Sparse, State
from hybridrec_rerank.order import fused, head, moved


class CapsOptions(Options):
    """Options of `caps`."""

    most: int = Field(2, ge=1)
    """Most items of a slate that may carry the same tag."""
    prefix: str = ""
    """Only tags that begin so count, for example `artist:`; empty: all."""
    depth: int = Field(200, ge=1)
    """How many of the best candidates are looked at."""


class Caps(Reranker):
    """Takes candidates in their order unless one of their tags is used up; the others fill what stays empty."""

    name = "caps"
    Config = CapsOptions
    config: CapsOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """The tags that count, for each item."""
        counted = np.char.startswith(np.array(data.tags.ids.to_list(), str), self.config.prefix)
        self._tags = _padded(data.item_tags[:, np.flatnonzero(counted)].tocsr())
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The first n that keep within the caps, then the others, both in their order."""
        final = fused(pool, self.name)
        columns, ids, scores = head(pool, final, self.config.depth)
        taken = admit(self._tags[ids], scores > -np.inf, self.config.most, n)
        order = np.argsort(~taken, axis=1, kind="stable")
        return moved(pool, final, columns, np.argsort(order, axis=1))

    def state(self) -> State:
        """The tags."""
        return {"tags": self._tags}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._tags = state["tags"]
        return self


def admit(tags: Ints, valid: Bools, most: int, n: int) -> Bools:
    """Who is taken: bool [Q, D], at most n a row; tags: int32 [Q, D, m], -1 where there are fewer."""
    taken = np.zeros(valid.shape, bool)
    rows = np.arange(len(valid))[:, None]
    # The last column counts the padding, and is never full.
    used = np.zeros((len(valid), int(tags.max(initial=PADDING)) + 2), np.int64)
    for place in range(valid.shape[1]):
        mine = tags[:, place]
        full = ((used[rows, mine] >= most) & (mine != PADDING)).any(axis=1)
        taken[:, place] = valid[:, place] & ~full & (taken.sum(axis=1) < n)
        used[rows, mine] += taken[:, place, None]
    return taken


def _padded(matrix: Sparse) -> Ints:
    """The columns of each row: int32 [rows, m], padded with -1."""
    counts = np.diff(matrix.indptr)
    result = np.full((matrix.shape[0], max(int(counts.max(initial=0)), 1)), PADDING, np.int32)
    result[np.arange(result.shape[1]) < counts[:, None]] = matrix.indices
    return result
