"""The merged candidates of a batch, and the slate that is cut from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import PADDING, Bools, Floats, Ints, Target

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

    @property
    def valid(self) -> Bools:
        """bool [Q, K]: true where there is a candidate."""
        return self.ids != PADDING

    def proposed_by(self, generator: str) -> Bools:
        """bool [Q, K]: which candidates this generator proposed."""
        bit = np.uint64(self.generators.index(generator))
        return (self.sources >> bit & np.uint64(1)).astype(bool)

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

    def to_frame(self, vocabulary: Vocabulary) -> pl.DataFrame:
        """One row per recommendation: query (row number), rank (from 1), id (external), score, rung."""
        import polars as pl

        rows, ranks = np.nonzero(self.ids != PADDING)
        names = np.array(self.rungs)
        return pl.DataFrame(
            {
                "query": rows.astype(np.int32),
                "rank": (ranks + 1).astype(np.int32),
                "id": vocabulary.decode(self.ids[rows, ranks]),
                "score": self.scores[rows, ranks],
                "rung": names[self.rung[rows]],
            }
        )
