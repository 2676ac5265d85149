"""`price-cap`: never shows what costs more than the request allows, however good it is."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import DataError, Dataset, Exclude, Filter, Options, QueryBatch, State, Target


class PriceCapOptions(Options):
    """Options of `price-cap`."""

    price: str = "price"
    """Feature of the items, a number."""
    budget: str = "budget"
    """Column of the request, a number: the most that an item may cost; requests without it see everything."""
    tolerance: float = Field(0.0, ge=0)
    """Share by which a price may be above the budget."""


class PriceCap(Filter):
    """No item above the budget of the request; items without a price only for requests without a budget."""

    name = "price-cap"
    Config = PriceCapOptions
    config: PriceCapOptions

    def fit(self, data: Dataset) -> PriceCap:
        """Take the prices; raises DataError if the items have none."""
        if data.items.features is None:
            raise DataError(f"filter price-cap: the items have no features; it needs '{self.config.price}'")
        self._prices = data.items.features.numbers(self.config.price)
        return self

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Return a group of queries for each budget that occurs."""
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
        """Return the prices."""
        return {"prices": self._prices}

    def restore(self, state: State) -> PriceCap:
        """Take the prices from `state`."""
        self._prices = state["prices"]
        return self
