"""`tag-draw`: draws at random from the items that share a tag with an item of the query.

It is a baseline that every model of content should beat.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from hybridrec import Dataset, DenseModel, Floats, QueryBatch, State, Target, kernels, pack_csr, unpack_csr


class TagDraw(DenseModel):
    """Items that share a tag with an item of the query, in an order that is random for each query.

    The tags of an item are its own (`item_tags`), or, if no item has any, those of the users who have it. The order is
    drawn by `kernels.draws`: it is the same for the same items and seed, in any batch.
    """

    name = "tag-draw"
    stochastic = True
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Determine the tags of items, and draw the seed of all draws; return self."""
        tags = data.item_matrix("tags")
        if not tags.nnz:
            tags = data.interactions.matrix(binary=True).T @ data.user_matrix("tags")
        self._tags = tags.sign().tocsr()
        self._by_tag = self._tags.T.tocsr()
        self._seed = int(rng.integers(2**63))
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return a random number in [0, 1) for each item that shares a tag, NaN for all others: float32 [Q, I]."""
        items = queries.matrix("items")
        shares = kernels.dense_product(items @ self._tags, self._by_tag) > 0
        return np.where(shares, kernels.draws(items, self._seed), np.float32(np.nan))

    def state(self) -> State:
        """Return the tags of every item, and the seed."""
        return {"seed": np.array(self._seed), **pack_csr(self._tags, "tags")}

    def restore(self, state: State) -> Self:
        """Take the tags of every item, and the seed, from `state`; return self."""
        self._seed = int(state["seed"])
        self._tags = unpack_csr(state, "tags")
        self._by_tag = self._tags.T.tocsr()
        return self
