"""`price-cap`: excludes items that cost more than the request allows."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import DataError, Dataset, Exclude, Filter, Options, QueryBatch, State, Target


class PriceCapOptions(Options):
    """Options of `price-cap`."""

    price: str = "price"
    """Name of the feature of items that is the price, a number."""
    budget: str = "budget"
    """Column of the request that is the highest price allowed; requests without it exclude nothing."""
    tolerance: float = Field(0.0, ge=0)
    """Share of the budget by which a price may be above it."""


class PriceCap(Filter):
    """Filter that excludes, for a request with a budget, the items above it and the items without a price."""

    name = "price-cap"
    Config = PriceCapOptions
    config: PriceCapOptions

    def fit(self, data: Dataset) -> PriceCap:
        """Take the prices of the items and return self; raises DataError if the items have no features."""
        if data.items.features is None:
            raise DataError(f"filter price-cap: the items have no features; it needs '{self.config.price}'")
        self._prices = data.items.features.numbers(self.config.price)
        return self

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Return the items above the budget as an exclusion, with a group of queries for each budget that occurs."""
        context = queries.context
        if target != "items" or context is None or self.config.budget not in context.columns:
            return Exclude()
        limits = context.numbers(self.config.budget) * (1 + self.config.tolerance)
        stated = ~np.isnan(limits)
        budgets, places = np.unique(limits[stated], return_inverse=True)
        group = np.full(len(queries), -1, np.int32)
        group[stated] = places
        return Exclude(groups=~(self._prices <= budgets[:, None]), group=group)

    def state(self) -> State:
        """Return the prices of the items."""
        return {"prices": self._prices}

    def restore(self, state: State) -> PriceCap:
        """Take the prices of the items from `state`; return self."""
        self._prices = state["prices"]
        return self
