"""One cut of the data into what may be learned from and what is asked; and the contract of splitters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.frozen import freeze
from hybridrec.data.queries import QueryBatch
from hybridrec.plugin import Plugin
from hybridrec.types import Bools, Doubles, Ints, Sparse, Target


@dataclass(frozen=True, slots=True)
class Fold:
    """A training part, queries that know nothing of what was hidden, and what was hidden.

    truth: for both targets a csr [Q, N] of ones, the relevant ids of each query; without entries where none are asked
    units: int32[Q], the user behind each query, in codes of the dataset: the unit of all statistics
    weights: float64[Q], the share of each query in the mean
    universe: bool[I], the items that may be recommended, or None for all
    """

    name: str
    train: Dataset
    queries: QueryBatch
    truth: dict[Target, Sparse]
    units: Ints
    weights: Doubles
    universe: Bools | None = None

    def __post_init__(self) -> None:
        """Whoever is handed it shares its arrays with others."""
        freeze(self)


class Splitter(Plugin):
    """Cuts a dataset into folds.

    What is hidden may depend on the shape of the data (how many rows, which row belongs to which
    user) and on `rng`, never on the content of the hidden rows, and nothing of them may reach
    `Fold.train` or `Fold.queries`.
    """

    @abstractmethod
    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """The folds on which the experiment is evaluated."""

    @abstractmethod
    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """One more fold of the same kind, cut out of a training part: what blends are learned on."""
