"""Pinned items: items that the config puts at given places of every slate."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, field_validator

from hybridrec import Dataset, Options, Pool, QueryBatch, Reranker, State
from hybridrec_rerank.pool_order import placed


class PinnedOptions(Options):
    """Options of `pinned`: the item for each pinned place."""

    places: dict[Annotated[int, Field(ge=1)], str] = Field(min_length=1, examples=[{1: "single-of-the-week"}])
    """Place of the slate, from 1 -> id of the item to put there, for example `{1: single-of-the-week}`."""

    @field_validator("places")
    @classmethod
    def _once(cls, places: dict[int, str]) -> dict[int, str]:
        ids = list(places.values())
        twice = next((item for item in ids if ids.count(item) > 1), None)
        if twice is not None:
            raise ValueError(f"'{twice}' is pinned to two places")
        return places


class Pinned(Reranker):
    """Re-ranker that puts given items at given places; the other candidates fill the remaining places in their order.

    An item is put at its place only if it is among the candidates of the query. So an item that the user has seen or
    dislikes, or that is blocked for all, is never pinned. The generator `listed` proposes the items in any case.
    """

    name = "pinned"
    fuses = False
    Config = PinnedOptions
    config: PinnedOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Look up the codes of the items and return self; raises DataError for an id that the data does not have."""
        self._codes = data.items.vocabulary.encode_known(list(self.config.places.values()), self.name)
        return self

    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Put each pinned candidate at its place, as far as there are enough candidates."""
        final = pool.fused()
        wanted = np.zeros(pool.ids.shape, np.int64)
        for place, code in zip(self.config.places, self._codes, strict=True):
            wanted[pool.ids == code] = place
        return placed(pool, final, wanted)

    def state(self) -> State:
        """Return the codes of the items."""
        return {"codes": self._codes}

    def restore(self, state: State) -> Self:
        """Take the codes of the items from `state`; return self."""
        self._codes = state["codes"]
        return self
