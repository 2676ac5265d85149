"""The final ranking of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import PADDING, Floats, Ints, State, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Slate:
    """The final ranking: ids int32 [Q, n], best first, padded with -1 if fewer than n ids can be recommended.

    scores: float32 [Q, n], `final` of the pool (NaN for ids from the fallback)
    rung: int8 [Q], index into `rungs`, the source that served the query; "none" if no id could be recommended
    vocabulary: the external ids of the target; None inside the engine, which passes arrays only
    """

    target: Target
    ids: Ints
    scores: Floats
    rung: NDArray[np.int8]
    rungs: tuple[str, ...]
    vocabulary: Vocabulary | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def state(self) -> State:
        """Return the slate as named arrays."""
        return {"ids": self.ids, "scores": self.scores, "rung": self.rung, "rungs": np.array(self.rungs)}

    @classmethod
    def restore(cls, target: Target, state: State) -> Slate:
        """Rebuild a slate from its `state`."""
        return cls(target, state["ids"], state["scores"], state["rung"], tuple(str(rung) for rung in state["rungs"]))

    @classmethod
    def stack(cls, slates: Sequence[Slate]) -> Slate:
        """Concatenate the queries of several slates; rungs are matched by name."""
        rungs = tuple(dict.fromkeys(rung for slate in slates for rung in slate.rungs))
        codes = [np.array([rungs.index(rung) for rung in slate.rungs], np.int8)[slate.rung] for slate in slates]
        ids = np.concatenate([slate.ids for slate in slates])
        scores = np.concatenate([slate.scores for slate in slates])
        return cls(slates[0].target, ids, scores, np.concatenate(codes), rungs, slates[0].vocabulary)

    def take(self, rows: slice) -> Slate:
        """Return the slates of some of the queries."""
        return replace(self, ids=self.ids[rows], scores=self.scores[rows], rung=self.rung[rows])

    def to_frame(self) -> pl.DataFrame:
        """Return a Polars frame with one row per recommendation.

        Columns: query (row number), rank (from 1), id (external), score, rung. Its `to_pandas()` returns a pandas
        frame. Raises ValueError if the slate has no vocabulary.
        """
        return self.lazy_frame().collect()

    def lazy_frame(self) -> pl.LazyFrame:
        """Return the frame of `to_frame` lazily: streamed in batches, it never holds the texts of all rows at once."""
        import polars as pl

        if self.vocabulary is None:
            raise ValueError("this slate holds codes and no vocabulary: give it one with dataclasses.replace")
        rungs = pl.Series(self.rungs, dtype=pl.String)
        place, width = pl.col("place").cast(pl.Int64), self.ids.shape[1]

        def text(column: str, texts: pl.Series) -> pl.Expr:
            return pl.col(column).map_batches(texts.gather, return_dtype=pl.String, is_elementwise=True)

        flat = {"id": self.ids.reshape(-1), "score": self.scores.reshape(-1), "rung": np.repeat(self.rung, width)}
        rows = pl.LazyFrame(flat).with_row_index("place").filter(pl.col("id") != PADDING)
        return rows.select(
            query=(place // width).cast(pl.Int32),
            rank=(place % width + 1).cast(pl.Int32),
            id=text("id", self.vocabulary.ids),
            score="score",
            rung=text("rung", rungs),
        )
