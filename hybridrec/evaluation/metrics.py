"""Per-query metrics from arrays; each says which definition it follows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from hybridrec.arrays import Bools, Doubles, Ints, Sparse, Target
from hybridrec.data.dataset import Dataset
from hybridrec.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Judged:
    """Slates beside the truth: what a metric sees.

    ids: int32 [Q, n], best first, -1 as padding
    hits: bool [Q, n], which of them are relevant
    truth: csr [Q, N] of ones, the relevant ids
    train: the training part (popularity, content)
    """

    target: Target
    ids: Ints
    hits: Bools
    truth: Sparse
    train: Dataset


class Metric(Plugin):
    """A number per query: `values` at a cut-off; the report shows means over queries and their intervals."""

    higher_is_better: bool = True

    @abstractmethod
    def values(self, judged: Judged, k: int) -> Doubles:
        """float64 [Q] over the first k places; NaN where the metric is not defined for a query."""
