"""Metric `revenue`: the sum over a slate's hits of a price, or of the gains of the hidden interactions."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec.errors import DataError, did_you_mean
from hybridrec.evaluation.metrics import EvalBatch, Metric
from hybridrec.plugin import Options
from hybridrec.types import Doubles


class RevenueOptions(Options):
    """Options of the metric `revenue`: the feature of items that is added up over the hits."""

    price: str | None = Field(None, examples=["price"])
    """Name of the feature of items that is added up over the hits, such as a price or a margin; an item without it
    adds nothing. By default the gains of the hidden interactions are added up: the column `gain` of the data, such as
    the price paid, else the weight, else 1."""


class Revenue(Metric):
    """Revenue@k: the sum of the prices, or of the gains, of the hits among the first k; NaN without relevant ids.

    A slate earns this revenue if exactly the hidden interactions happen. Revenue is among the business values that
    Jannach and Jugovac list ("Measuring the Business Value of Recommender Systems", 2019).
    """

    name = "revenue"
    Config = RevenueOptions
    config: RevenueOptions

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the revenue of each query: float64 [Q], NaN without relevant ids.

        Raises DataError if the option `price` names a feature that items do not have, or is set for a target other than
        items.
        """
        earned = eval_batch.hit_gains(k) if self.config.price is None else self._prices(eval_batch, k)
        return np.where(eval_batch.relevant > 0, earned.sum(axis=1), np.nan)

    def _prices(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Return the price of the item at each hit, and 0 at every other place: float64 [Q, at most k]."""
        if eval_batch.target != "items":
            raise DataError(f"revenue: {eval_batch.target} have no '{self.config.price}'; leave `price` out")
        features = eval_batch.train.items.features
        names = () if features is None else features.numeric
        if features is None or self.config.price not in names:
            nearest = did_you_mean(str(self.config.price), names)
            raise DataError(f"revenue: the items have no feature '{self.config.price}': {nearest}")
        prices = np.nan_to_num(features.numbers(str(self.config.price)), nan=0.0)
        return np.where(eval_batch.hits[:, :k], prices[np.maximum(eval_batch.ids[:, :k], 0)], 0.0)
