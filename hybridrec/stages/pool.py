"""Pools: the merged candidates of a batch of queries, with their scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.frozen import freeze
from hybridrec.errors import PluginError
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Bools, Floats, Ints, Longs, State, Target

T = TypeVar("T")
PROPENSITY = "propensity"
"""The extra column of slates that are drawn at random: the probability of an id at its place, given those before it."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The merged candidates of Q queries, with the generators that proposed them and the scores of all models.

    ids: int32 [Q, K], ascending and distinct, padded with -1 at the end of a row
    generators: labels of the generators, in the order of the bits of `sources`
    sources: uint64 [Q, K], bit g is set if `generators[g]` proposed the candidate
    columns: label -> float32 [Q, K], scores, NaN for "no opinion"; in the order of the pipeline: its generators,
        then its scorers. Results depend on this order (sums of floats, searches of weights), so it is part of the
        pool and preserved in the store
    final: float32 [Q, K] once a re-ranker has fused the columns; higher is better, NaN at padding and only there
    places: label -> float32 [Q, K], the rank of each candidate in the list of a generator, from 1, infinity if the list
        lacks it. A generator that also scored the pool as a scorer is left out, since its column then has other scores;
        `ranks` returns the ranks by any column
    extras: name -> float32 [Q, K], columns that re-rankers add for readers of the slates; no stage uses them
    scores: float32 [Q, K], the scores that slates have if `final` is an order only (see `reordered`); None if `final`
        is the score itself

    Arrays and columns of a pool are read-only: pipelines share them.
    """

    target: Target
    ids: Ints
    generators: tuple[str, ...]
    sources: NDArray[np.uint64]
    columns: dict[str, Floats]
    final: Floats | None = None
    places: dict[str, Floats] = field(default_factory=dict)
    extras: dict[str, Floats] = field(default_factory=dict)
    scores: Floats | None = None
    _cache: dict[Hashable, tuple[Hashable, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)

    @classmethod
    def empty(cls, target: Target, queries: int) -> Pool:
        """Return a pool without candidates."""
        shape = (queries, 0)
        return cls(target, np.empty(shape, np.int32), (), np.empty(shape, np.uint64), {})

    @property
    def valid(self) -> Bools:
        """The mask of entries that are candidates, not padding: bool [Q, K]."""
        return self.ids != PADDING

    @property
    def padding(self) -> Longs:
        """The flat indices of the P entries that are padding: int64[P]."""
        return self.cached("padding", None, lambda: np.flatnonzero(self.ids == PADDING))

    def proposed_by(self, generator: str) -> Bools:
        """Return bool [Q, K]: true for candidates that this generator proposed."""
        bit = np.uint64(self.generators.index(generator))
        return (self.sources >> bit & np.uint64(1)).astype(bool)

    def ranks(self, label: str) -> Floats:
        """Return the rank of each candidate by a column: float32 [Q, K], 1 for the best, infinity without a score."""
        if label in self.places:
            return self.places[label]
        return np.nan_to_num(kernels.ranks(self.columns[label]), nan=np.inf)

    def matching(self, pattern: str) -> list[str]:
        """Return the names of the columns that fit a label or a pattern, in the order of the pool.

        In patterns `*` stands for any text and `?` for a character: `content.*` fits all columns of `content`. The list
        is empty if the component of that label does not serve the target. Raises PluginError for a name with a dot that
        no column fits, if the component before the dot has columns.
        """
        names = [label for label in self.columns if label == pattern or fnmatchcase(label, pattern)]
        base, dot, _ = pattern.partition(".")
        others = [label for label in self.columns if label.startswith(f"{base}.")]
        if dot and not names and (others or base in self.columns):
            raise PluginError(f"'{pattern}' names no column of '{base}'; there are {', '.join(others or [base])}")
        return names

    def only(self, patterns: Sequence[str]) -> Pool:
        """Return the same pool with only the columns that fit any of the patterns; they keep their order in the pool.

        Without patterns all columns stay. Raises PluginError as `matching` does, and if no column is left.
        """
        if not patterns or not self.columns:
            return self
        named = {label for pattern in patterns for label in self.matching(pattern)}
        if not named:
            raise PluginError(
                f"{', '.join(patterns)}: no column of the pool is named so; there are {', '.join(self.columns)}"
            )
        if len(named) == len(self.columns):
            return self
        pool = replace(self, columns={label: values for label, values in self.columns.items() if label in named})
        object.__setattr__(pool, "_cache", self._cache)  # results of `cached` depend on single columns
        return pool

    def cached(self, name: Hashable, depends: Hashable, make: Callable[[], T]) -> T:
        """Return the result of `make`, cached by name as long as `depends` is equal.

        `depends` holds everything that the result depends on besides the candidates and columns of the pool. Tuning
        orders one pool thousands of times with different weights: results that do not depend on them, such as a
        normalised column, are computed once.
        """
        entry = self._cache.get(name)
        if entry is None or entry[0] != depends:
            entry = self._cache[name] = (depends, make())
        return cast(T, entry[1])

    def fused(self) -> Floats:
        """Return the scores that order the pool so far, float32 [Q, K]: `final`, or before any fusion the only column.

        Re-rankers that change an order start from them. Raises PluginError if there are several columns and no `final`.
        """
        if self.final is not None:
            return self.final
        if not self.ids.shape[1]:
            return np.empty(self.ids.shape, np.float32)
        if len(self.columns) != 1:
            columns = ", ".join(self.columns) or "(none)"
            raise PluginError(f"there is not one order to change but the columns {columns}: put a fusion before it")
        return next(iter(self.columns.values()))

    def state(self) -> State:
        """Return the pool as named arrays, without what re-rankers added (`final`, `extras`, `scores`).

        The arrays `generators`, `columns` and `places` hold labels, as the order of these fields matters.
        """
        columns = {f"column.{label}": values for label, values in self.columns.items()}
        places = {f"places.{label}": values for label, values in self.places.items()}
        labels = {
            "generators": np.array(self.generators, np.str_),
            "columns": np.array(list(self.columns), np.str_),
            "places": np.array(list(self.places), np.str_),
        }
        return {"ids": self.ids, "sources": self.sources, **labels, **columns, **places}

    @classmethod
    def restore(cls, target: Target, state: State) -> Pool:
        """Rebuild an unranked pool from its `state`."""
        generators = tuple(str(label) for label in state["generators"])
        columns = {str(label): state[f"column.{label}"] for label in state["columns"]}
        places = {str(label): state[f"places.{label}"] for label in state["places"]}
        return cls(target, state["ids"], generators, state["sources"], columns, places=places)

    @classmethod
    def stack(cls, pools: Sequence[Pool]) -> Pool:
        """Concatenate the queries of several unranked pools."""
        width = max(pool.ids.shape[1] for pool in pools)

        def joined(arrays: Sequence[NDArray[Any]], fill: float) -> NDArray[Any]:
            wide = [((0, 0), (0, width - array.shape[1])) for array in arrays]
            padded = [np.pad(a, w, constant_values=fill) for a, w in zip(arrays, wide, strict=True)]
            return np.concatenate(padded)

        first = pools[0]
        return cls(
            target=first.target,
            ids=joined([pool.ids for pool in pools], PADDING),
            generators=first.generators,
            sources=joined([pool.sources for pool in pools], 0),
            columns={label: joined([pool.columns[label] for pool in pools], np.nan) for label in first.columns},
            places={label: joined([pool.places[label] for pool in pools], np.inf) for label in first.places},
        )

    def take(self, rows: NDArray[Any] | slice) -> Pool:
        """Return the pool of the queries that `rows` selects: indices in any order, a slice, or a mask bool[Q]."""
        return replace(
            self,
            ids=self.ids[rows],
            sources=self.sources[rows],
            columns={label: values[rows] for label, values in self.columns.items()},
            final=None if self.final is None else self.final[rows],
            places={label: values[rows] for label, values in self.places.items()},
            extras={name: values[rows] for name, values in self.extras.items()},
            scores=None if self.scores is None else self.scores[rows],
        )

    def reordered(self, order: Floats, **extras: Floats) -> Pool:
        """Return the same pool with `order`, float32 [Q, K], as `final`; slates still show the scores from before.

        Use it for numbers that only put candidates in order, such as 0, -1, -2, ... from the best place on. For new
        scores, such as a sum of scores, use `ranked`.
        """
        scores = self.fused() if self.scores is None else self.scores
        pool = self.ranked(order, **extras)
        again = replace(pool, scores=scores)
        object.__setattr__(again, "_cache", self._cache)
        return again

    def ranked(self, final: Floats, **extras: Floats) -> Pool:
        """Return a new pool with the same candidates, `final` (float32 [Q, K]) as their scores, and `extras` added.

        `final` becomes NaN at padding, in a copy. If it is NaN there already it is kept without a copy, so the caller
        must not write to it afterwards.
        """
        final = np.ascontiguousarray(final, np.float32)
        if not np.isnan(final.reshape(-1)[self.padding]).all():
            final = final.copy()
            final.reshape(-1)[self.padding] = np.nan
        pool = replace(self, final=final, extras={**self.extras, **extras}, scores=None)
        object.__setattr__(
            pool, "_cache", self._cache
        )  # the candidates and columns are the same: share the results of `cached`
        return pool
