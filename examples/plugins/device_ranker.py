"""`device-ranker`: orders candidates by gradient boosted trees that know the device of the request."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    ColumnPattern,
    Dataset,
    Doubles,
    Floats,
    Ints,
    Options,
    Pool,
    QueryBatch,
    Reranker,
    Sparse,
    State,
    kernels,
)


class DeviceRankerOptions(Options):
    """Options of `device-ranker`."""

    column: str = "device"
    """Column of the request, of type category."""
    columns: list[ColumnPattern] = Field(default_factory=list)
    """Columns of the pool that the trees read; by default all."""
    trees: int = Field(50, ge=1)
    """Number of trees."""
    prior: float = Field(10.0, gt=0)
    """Number of imaginary interactions added to each device, spread over the items as all interactions are."""


class DeviceRanker(Reranker):
    """Fusion by LambdaMART of scores, ranks, the device, and the lift of each item on the device.

    The lift is the log of the item's share of the interactions on the device over its share of all interactions.
    """

    name = "device-ranker"
    fuses = True
    learns = True
    requires = ("lightgbm",)
    install_hint = "pip install lightgbm"
    Config = DeviceRankerOptions
    config: DeviceRankerOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> DeviceRanker:
        """Compute the lift of each item on each device; return self."""
        items, context, width = data.interactions.ids, data.interactions.context, len(data.items)
        devices = csr_matrix((len(items), 0))
        if context is not None and self.config.column in context.columns:
            devices = context.column(self.config.column).values
        plays = csr_matrix((np.ones(len(items)), items, np.arange(len(items) + 1)), (len(items), width))
        counts = (devices.T @ plays).toarray()
        overall = (np.bincount(items, minlength=width) + 1) / (len(items) + max(width, 1))
        shares = (counts + self.config.prior * overall) / (counts.sum(axis=1, keepdims=True) + self.config.prior)
        self._lift = np.vstack((np.log(shares / overall), np.zeros(width))).astype(np.float32)  # last: no device
        self._seed = int(rng.integers(2**31))
        return self

    def fit_on_predictions(
        self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints
    ) -> DeviceRanker:
        """Grow the trees on validation queries; return self."""
        import lightgbm

        rows = self._features(queries, pool)
        hits, sizes = kernels.hits(pool.ids, truth)[pool.valid], pool.valid.sum(axis=1)
        shares = np.repeat(weights, sizes)
        lesson = lightgbm.Dataset(
            rows, hits.astype(int), weight=shares, group=sizes[sizes > 0], categorical_feature=[0]
        )
        fixed = {"objective": "lambdarank", "num_threads": 1, "deterministic": True, "verbose": -1}
        limits = {"min_data_in_leaf": 5, "min_data_in_bin": 1, "seed": self._seed}
        self._trees = lightgbm.train(fixed | limits, lesson, self.config.trees).model_to_string()
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Set `final` to the scores that the trees predict."""
        import lightgbm

        final = np.full(pool.ids.shape, np.nan, np.float32)
        if pool.valid.any():
            trees = lightgbm.Booster(model_str=self._trees)
            final[pool.valid] = trees.predict(self._features(queries, pool), num_threads=1)
        return pool.ranked(final)

    def summary(self) -> dict[str, Any]:
        """Return the number of trees, for the report."""
        return {"trees": self.config.trees}

    def state(self) -> State:
        """Return the trees as bytes, the lifts, and the seed."""
        trees = np.frombuffer(self._trees.encode(), np.uint8)
        return {"trees": trees, "lift": self._lift, "seed": np.array(self._seed)}

    def restore(self, state: State) -> DeviceRanker:
        """Take the trees, the lifts and the seed from `state`; return self."""
        self._trees, self._lift = state["trees"].tobytes().decode(), state["lift"]
        self._seed = int(state["seed"])
        return self

    def _features(self, queries: QueryBatch, pool: Pool) -> Floats:
        """Return a row for each candidate: the device, the item's lift on it, then scores and ranks of each column."""
        device = np.full(len(queries), -1)
        if queries.context is not None and self.config.column in queries.context.columns:
            device = queries.context.column(self.config.column).single()
        chosen = pool.only(self.config.columns)
        of_device = np.broadcast_to(device[:, None], pool.ids.shape)
        lift = self._lift[of_device, pool.ids] if pool.target == "items" else np.zeros(pool.ids.shape)
        columns = [of_device, lift, *chosen.columns.values(), *(chosen.ranks(label) for label in chosen.columns)]
        return np.stack(columns, axis=2)[pool.valid].astype(np.float32)
