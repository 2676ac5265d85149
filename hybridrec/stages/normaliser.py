"""The contract of normalisers: what brings the scores of different models to one scale."""

from __future__ import annotations

from abc import abstractmethod

from hybridrec.plugin import Plugin
from hybridrec.types import Floats


class Normaliser(Plugin):
    """Brings one column of a pool to a common scale, row by row; what a fusion names under `normalise`."""

    @abstractmethod
    def scale(self, values: Floats) -> Floats:
        """float32 [Q, K], a new array or `values` itself: NaN where `values` is, a number elsewhere.

        A row depends on nothing but itself: a query gets the same scores alone and in a batch.
        """
