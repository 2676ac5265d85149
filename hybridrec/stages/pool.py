"""The merged candidates of a batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.frozen import freeze
from hybridrec.stages import kernels
from hybridrec.types import PADDING, Bools, Floats, Ints, Longs, State, Target

if TYPE_CHECKING:
    pass


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of Q queries with what is known of each.

    ids: int32 [Q, K], ascending, each id once; -1 fills the end of a row
    generators: labels of the generators, in the order of the bits of `sources`
    sources: uint64 [Q, K], bit g is set if `generators[g]` proposed the candidate
    columns: label -> float32 [Q, K], the scorers' values, NaN = no opinion; in the order of the pipeline,
        those of its generators first, then those of its scorers. Sums and searches of weights go by this
        order, so it is part of the pool, and the same in a pool that was stored
    final: float32 [Q, K] once a re-ranker has fused the columns; higher is better, NaN at padding
    places: label -> float32 [Q, K], 1 for the first in the list of a generator whose own scores are its
        column, infinity for what is not in it; `ranks` tells them of every column

    Arrays and columns of a pool are read-only: pipelines share them.
    """

    target: Target
    ids: Ints
    generators: tuple[str, ...]
    sources: NDArray[np.uint64]
    columns: dict[str, Floats]
    final: Floats | None = None
    places: dict[str, Floats] = field(default_factory=dict)
    _known: dict[Hashable, tuple[Hashable, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Whoever is handed it shares its arrays with others."""
        freeze(self)

    @classmethod
    def empty(cls, target: Target, queries: int) -> Pool:
        """No candidates for anybody."""
        shape = (queries, 0)
        return cls(target, np.empty(shape, np.int32), (), np.empty(shape, np.uint64), {})

    @property
    def valid(self) -> Bools:
        """bool [Q, K]: true where there is a candidate."""
        return self.ids != PADDING

    @property
    def padding(self) -> Longs:
        """int64[P]: the places without a candidate, counted through all rows."""
        return self.once("padding", None, lambda: np.flatnonzero(self.ids == PADDING))

    def proposed_by(self, generator: str) -> Bools:
        """bool [Q, K]: which candidates this generator proposed."""
        bit = np.uint64(self.generators.index(generator))
        return (self.sources >> bit & np.uint64(1)).astype(bool)

    def ranks(self, label: str) -> Floats:
        """Rank of each candidate in a column, 1 for the best, infinity without an opinion: float32 [Q, K]."""
        if label in self.places:
            return self.places[label]
        return np.nan_to_num(kernels.ranks(self.columns[label]), nan=np.inf)

    def once(self, name: Hashable, depends: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, kept by name until it is asked for with another `depends`.

        `depends` holds all that it depends on beside the candidates and columns of the pool. Tuning orders
        one pool thousands of times with other weights: what does not depend on them (a normalised column,
        say) is then computed once.
        """
        known = self._known.get(name)
        if known is None or known[0] != depends:
            known = self._known[name] = (depends, make())
        return cast(T, known[1])

    def state(self) -> State:
        """Return the unranked pool as named arrays; arrays of labels hold the order of columns and places."""
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
        """The way back from `state`."""
        generators = tuple(str(label) for label in state["generators"])
        columns = {str(label): state[f"column.{label}"] for label in state["columns"]}
        places = {str(label): state[f"places.{label}"] for label in state["places"]}
        return cls(target, state["ids"], generators, state["sources"], columns, places=places)

    @classmethod
    def stack(cls, pools: Sequence[Pool]) -> Pool:
        """The queries of several unranked pools below one another."""
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
        """The given queries, in the given order (or those at which a bool[Q] is true)."""
        return replace(
            self,
            ids=self.ids[rows],
            sources=self.sources[rows],
            columns={label: values[rows] for label, values in self.columns.items()},
            final=None if self.final is None else self.final[rows],
            places={label: values[rows] for label, values in self.places.items()},
        )

    def ranked(self, final: Floats) -> Pool:
        """The same pool with `final` set: float32 [Q, K]; padding becomes NaN.

        What is so already is taken as it is, and not to be written to any more.
        """
        final = np.ascontiguousarray(final, np.float32)
        if not np.isnan(final.reshape(-1)[self.padding]).all():
            final = final.copy()
            final.reshape(-1)[self.padding] = np.nan
        pool = replace(self, final=final)
        object.__setattr__(pool, "_known", self._known)  # the same candidates and columns: what is known is shared
        return pool
