"""The contract of filters: they say what may not be shown, before anything is proposed."""

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

    What it excludes is proposed by no generator and no fallback of the pipeline, so no slate ever holds it: where too
    little is left, slates stay short.
    """

    def fit(self, data: Dataset) -> Self:
        """Take what the rule needs of a training part, nothing by default; return self.

        It is called before anything is fitted, also by `check`. Raises DataError if the data lack what it needs.
        """
        return self

    def notes(self) -> list[str]:
        """Return notes for `check` and the report on the data it was fitted on, such as ids that these do not have."""
        return []

    @abstractmethod
    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Return the exclusion for Q queries; `Exclude()` for targets that it says nothing about.

        A rule that treats many queries alike excludes `groups`; the cost of `rows` is an entry per query and id.
        """

    def state(self) -> State:
        """Return everything that `fit` took as named arrays, for `restore` in a bundle; nothing by default."""
        return {}

    def restore(self, state: State) -> Self:
        """Restore from `state`; nothing to restore by default. Return self."""
        return self
