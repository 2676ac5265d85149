"""Folds of the data into a training part and queries, and the contract of splitters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.frozen import freeze
from hybridrec.data.queries import QueryBatch
from hybridrec.plugin import Plugin
from hybridrec.types import Bools, Doubles, Ints, Sparse, Target


@dataclass(frozen=True, slots=True)
class Fold:
    """A training part, queries without the hidden data, and the hidden data as their truth.

    truth: for each of the data's targets a csr [Q, N] of ones, the relevant ids of each query; empty if no query asks
        for the target
    units: int32[Q], the user behind each query, in codes of the dataset: the unit of all statistics
    weights: float64[Q], the weight of each query in the mean of a metric
    candidate_items: bool[I], the items that may be recommended, or None for all
    gains: target -> csr [Q, N] with the same entries as its truth, the gain of each relevant id: the sum of the gains
        of its interactions (the price paid, say), or of their weights if the data has no gains. A target that is left
        out has gains of 1
    """

    name: str
    train: Dataset
    queries: QueryBatch
    truth: dict[Target, Sparse]
    units: Ints
    weights: Doubles
    candidate_items: Bools | None = None
    gains: dict[Target, Sparse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)


class Splitter(Plugin):
    """Base class of splitters, which divide a dataset into folds.

    The choice of hidden rows may depend on the shape of the data (the number of rows, the user of each row)
    and on `rng`, never on the content of the hidden rows, and none of that content may reach `Fold.train`
    or `Fold.queries`.
    """

    @property
    def asks_for_seen(self) -> bool:
        """True if the truth of a query may have items of its history; then no pipeline may exclude seen items."""
        return False

    @abstractmethod
    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield the folds on which the experiment is evaluated."""

    @abstractmethod
    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Return one more fold, made inside a training part as `split` makes folds; blends learn on its queries."""
