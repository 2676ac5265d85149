"""The merged candidates of a batch, and the slate that is cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import PADDING, Bools, Floats, Ints, State, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of Q queries with what is known of each.

    ids: int32 [Q, K], ascending, each id once; -1 fills the end of a row
    generators: labels of the generators, in the order of the bits of `sources`
    sources: uint64 [Q, K], bit g is set if `generators[g]` proposed the candidate
    columns: label -> float32 [Q, K], the scorers' values, NaN = no opinion
    final: float32 [Q, K] once a re-ranker has fused the columns; higher is better, NaN at padding
    """

    target: Target
    ids: Ints
    generators: tuple[str, ...]
    sources: NDArray[np.uint64]
    columns: dict[str, Floats]
    final: Floats | None = None

    @classmethod
    def empty(cls, target: Target, queries: int) -> Pool:
        """No candidates for anybody."""
        shape = (queries, 0)
        return cls(target, np.empty(shape, np.int32), (), np.empty(shape, np.uint64), {})

    @property
    def valid(self) -> Bools:
        """bool [Q, K]: true where there is a candidate."""
        return self.ids != PADDING

    def proposed_by(self, generator: str) -> Bools:
        """bool [Q, K]: which candidates this generator proposed."""
        bit = np.uint64(self.generators.index(generator))
        return (self.sources >> bit & np.uint64(1)).astype(bool)

    def state(self) -> State:
        """The unranked pool as named arrays."""
        columns = {f"column.{label}": values for label, values in self.columns.items()}
        return {"ids": self.ids, "sources": self.sources, "generators": np.array(self.generators), **columns}

    @classmethod
    def restore(cls, target: Target, state: State) -> Pool:
        """The way back from `state`."""
        columns = {name.removeprefix("column."): a for name, a in state.items() if name.startswith("column.")}
        generators = tuple(str(label) for label in state["generators"])
        return cls(target, state["ids"], generators, state["sources"], columns)

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
        )

    def ranked(self, final: Floats) -> Pool:
        """The same pool with `final` set: float32 [Q, K]; padding becomes NaN."""
        return replace(self, final=np.where(self.valid, final, np.nan).astype(np.float32, copy=False))


@dataclass(frozen=True, slots=True)
class Slate:
    """The final ranking: ids int32 [Q, n], best first, -1 where the vocabulary is too small for n.

    scores: float32 [Q, n], `final` of the pool (NaN for what the fallback filled in)
    rung: int8 [Q], index into `rungs`: who served the query; "none" if nobody could
    """

    target: Target
    ids: Ints
    scores: Floats
    rung: NDArray[np.int8]
    rungs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def state(self) -> State:
        """The slate as named arrays."""
        return {"ids": self.ids, "scores": self.scores, "rung": self.rung, "rungs": np.array(self.rungs)}

    @classmethod
    def restore(cls, target: Target, state: State) -> Slate:
        """The way back from `state`."""
        return cls(target, state["ids"], state["scores"], state["rung"], tuple(str(rung) for rung in state["rungs"]))

    @classmethod
    def stack(cls, slates: Sequence[Slate]) -> Slate:
        """The queries of several slates below one another; rungs are matched by name."""
        rungs = tuple(dict.fromkeys(rung for slate in slates for rung in slate.rungs))
        codes = [np.array([rungs.index(rung) for rung in slate.rungs], np.int8)[slate.rung] for slate in slates]
        ids = np.concatenate([slate.ids for slate in slates])
        scores = np.concatenate([slate.scores for slate in slates])
        return cls(slates[0].target, ids, scores, np.concatenate(codes), rungs)

    def to_frame(self, vocabulary: Vocabulary) -> pl.DataFrame:
        """One row per recommendation: query (row number), rank (from 1), id (external), score, rung."""
        import polars as pl

        rows, ranks = np.nonzero(self.ids != PADDING)
        return pl.DataFrame(
            {
                "query": rows.astype(np.int32),
                "rank": (ranks + 1).astype(np.int32),
                "id": vocabulary.decode(self.ids[rows, ranks]),
                "score": self.scores[rows, ranks],
                "rung": pl.Series(self.rungs, dtype=pl.String).gather(self.rung[rows]),
            }
        )
