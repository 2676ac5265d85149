"""The contract of normalisers, which bring scores of different models to a common scale."""

from __future__ import annotations

from abc import abstractmethod

from hybridrec.plugin import Plugin
from hybridrec.types import Floats


class Normaliser(Plugin):
    """A rescaling of a column of a pool, row by row; a fusion names it in its option `normalise`."""

    used_as: str = ""
    """The name that led to it in a config, `distribution/name`; empty if that was its own."""

    @abstractmethod
    def scale(self, values: Floats) -> Floats:
        """Return rescaled values, float32 [Q, K], a new array or `values` itself: NaN exactly where `values` is.

        A row depends only on itself, so that a query gets the same scores alone and in a batch.
        """
