"""The contract of filters, which exclude ids before generators propose any."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.plugin import Plugin
from hybridrec.stages.candidates import Exclude
from hybridrec.types import State, Target


class Filter(Plugin):
    """A rule for what may not be shown; a pipeline names it under `filters`.

    No generator and no fallback of the pipeline proposes an id that the rule excludes, so no slate ever has such an id.
    If too few ids are left, slates stay short.
    """

    def fit(self, data: Dataset) -> Self:
        """Take from a training part the data that the rule needs, by default nothing; return self.

        It is called before components are fitted, also by `hybridrec check`. Raises DataError if the data lacks
        something that the rule needs.
        """
        return self

    def notes(self) -> list[str]:
        """Return notes for `check` and the report, such as listed ids that the data does not have; none by default."""
        return []

    @abstractmethod
    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Return the ids that Q queries may not be shown; `Exclude()` for a target that the rule does not concern.

        A rule that is the same for many queries states it as `groups`, since `rows` cost an entry per query and id.
        """

    def state(self) -> State:
        """Return everything that `fit` took as named arrays, for `restore` in a bundle; nothing by default."""
        return {}

    def restore(self, state: State) -> Self:
        """Take the data that the rule needs from `state`, by default nothing; return self."""
        return self
