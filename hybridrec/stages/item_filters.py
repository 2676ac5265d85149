"""Filters by lists of ids and by release date."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import DataError, did_you_mean
from hybridrec.paths import printable
from hybridrec.plugin import InputPath, Options
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.filter import Filter
from hybridrec.types import ITEMS, PADDING, Bools, Doubles, Ints, State, Target


class ListOptions(Options):
    """A list of ids, from the options or from a file or both."""

    ids: list[str] = Field([])
    """External ids."""
    path: InputPath | None = None
    """A text file with one external id per line."""
    target: Target = ITEMS
    """The kind of the ids."""


class _ListFilter(Filter):
    """A filter by a list of ids; its subclasses decide which ids the list excludes."""

    Config = ListOptions
    config: ListOptions

    _excluded: Bools
    _missing: str = ""
    """A sentence on listed ids that are not in the data."""

    @abstractmethod
    def excluded(self, listed: Ints, n: int) -> Bools:
        """Return bool[n]: true for the ids that may not be shown; `listed` has the codes of the listed ids."""

    def fit(self, data: Dataset) -> Self:
        """Read the list of ids and find those that it excludes; return self.

        Listed ids that are not in the data get a note and no error, since lists are kept elsewhere and data changes.
        Raises DataError for an unreadable file, and if none of the listed ids is in the data.
        """
        names = list(self.config.ids)
        if self.config.path is not None:
            names += _lines(self.config.path)
        if self.config.target not in data.entities:
            raise DataError(f"the data has no {self.config.target}; {did_you_mean(self.config.target, data.entities)}")
        vocabulary = data.vocabulary(self.config.target)
        codes = vocabulary.encode(names)
        if (missing := np.flatnonzero(codes == PADDING)).size:
            count = f"{len(missing)} of {len(names)} ids are" if len(names) > 1 else "the only id is"
            self._missing = f"{count} not in the data, first {printable(names[missing[0]])}"
            if len(missing) == len(names):
                raise DataError(self._missing)
        self._excluded = self.excluded(codes[codes != PADDING], len(vocabulary))
        return self

    def notes(self) -> list[str]:
        """Return a note on the listed ids that are not in the data; no note if the data has all."""
        return [f"{self._missing}; the list is applied without them"] if self._missing else []

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude the same ids for every query."""
        return Exclude(ids=self._excluded) if target == self.config.target else Exclude()

    def state(self) -> State:
        """Return the mask of excluded ids."""
        return {"excluded": self._excluded}

    def restore(self, state: State) -> Self:
        """Take the mask of excluded ids from `state`; return self."""
        self._excluded = state["excluded"]
        return self


class AllowFilter(_ListFilter):
    """Only listed ids may be shown."""

    name = "allow"

    def excluded(self, listed: Ints, n: int) -> Bools:
        """Return bool[n]: true for all but the listed ids."""
        excluded = np.ones(n, bool)
        excluded[listed] = False
        return excluded


class BlockFilter(_ListFilter):
    """Listed ids are never shown."""

    name = "block"

    def excluded(self, listed: Ints, n: int) -> Bools:
        """Return bool[n]: true for the listed ids."""
        excluded = np.zeros(n, bool)
        excluded[listed] = True
        return excluded


class ReleasedFilter(Filter):
    """Only items that are released by the time of the query may be shown.

    Items and queries without a time are not restricted.
    """

    name = "released"

    _released: Doubles

    def fit(self, data: Dataset) -> Self:
        """Take the release times of items; raises DataError if the data has none."""
        if data.items.times is None:
            raise DataError("the items of the data have no times; leave `released` out")
        self._released = data.items.times
        return self

    def exclude(self, queries: QueryBatch, target: Target) -> Exclude:
        """Exclude items that are released after the time of the query."""
        if target != ITEMS or queries.times is None:
            return Exclude()
        return Exclude(released=self._released, times=queries.times)

    def state(self) -> State:
        """Return the release times."""
        return {"released": self._released}

    def restore(self, state: State) -> Self:
        """Take the release times from `state`; return self."""
        self._released = state["released"]
        return self


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"path: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"path: {path} is not in UTF-8 (byte {error.start})") from None
