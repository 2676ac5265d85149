"""The contract of normalisers, which bring scores of different models to a common scale."""

from __future__ import annotations

from abc import abstractmethod

from hybridrec.plugin import Plugin
from hybridrec.types import Floats


class Normaliser(Plugin):
    """A rescaling of a column of a pool, row by row; a fusion names it in its option `normalise`."""

    used_as: str = ""
    """The name `distribution/name` if a config refers to it so; empty if the config uses its own name."""

    @abstractmethod
    def scale(self, values: Floats) -> Floats:
        """Return rescaled values, float32 [Q, K], as a new array or `values` itself; NaN only where `values` is NaN.

        A row depends only on itself, so that a query gets the same scores alone and in a batch.
        """
