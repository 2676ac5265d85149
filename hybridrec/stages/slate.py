"""Slates: the final rankings of a batch of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybridrec.types import PADDING, Floats, Ints, State, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.ragged import Ragged
    from hybridrec.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Slate:
    """The final ranking: ids int32 [Q, n], best first, padded with -1 if fewer than n ids can be recommended.

    scores: float32 [Q, n], the scores of the fusion, NaN for ids from the fallback; they are not descending if a
        re-ranker has moved ids
    extras: name -> float32 [Q, n], the `extras` of the pool for the id at each place, NaN without a value; for
        a pipeline that draws its slates also `propensity`, the probability of the id given the ids before it
    requests: the ids of the requests if the pipeline draws its slates, else None; the same id gets the same slate again
    served_by: int8 [Q], the index in `servers` of the source that served each query
    servers: names of the sources that may have served a query; "none" means that no id could be recommended
    vocabulary: the external ids of the target; None inside the engine, which passes arrays only
    """

    target: Target
    ids: Ints
    scores: Floats
    served_by: NDArray[np.int8]
    servers: tuple[str, ...]
    vocabulary: Vocabulary | None = field(default=None, compare=False, repr=False)
    extras: dict[str, Floats] = field(default_factory=dict)
    requests: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def state(self) -> State:
        """Return the slate as named arrays."""
        about = {"servers": np.array(self.servers), "extras": np.array(list(self.extras), np.str_)}
        if self.requests is not None:
            about["requests"] = np.array(self.requests, np.str_)
        extras = {f"extra.{name}": values for name, values in self.extras.items()}
        return {"ids": self.ids, "scores": self.scores, "served_by": self.served_by, **about, **extras}

    @classmethod
    def restore(cls, target: Target, state: State) -> Slate:
        """Rebuild a slate from its `state`."""
        return cls(
            target,
            state["ids"],
            state["scores"],
            state["served_by"],
            tuple(state["servers"].tolist()),
            extras={name: state[f"extra.{name}"] for name in state["extras"].tolist()},
            requests=tuple(state["requests"].tolist()) if "requests" in state else None,
        )

    @classmethod
    def stack(cls, slates: Sequence[Slate]) -> Slate:
        """Concatenate the queries of several slates; servers are matched by name."""
        servers = tuple(dict.fromkeys(served_by for slate in slates for served_by in slate.servers))
        codes = [
            np.array([servers.index(served_by) for served_by in slate.servers], np.int8)[slate.served_by]
            for slate in slates
        ]
        ids = np.concatenate([slate.ids for slate in slates])
        scores = np.concatenate([slate.scores for slate in slates])
        names = dict.fromkeys(name for slate in slates for name in slate.extras)
        extras = {name: np.concatenate([slate.extra(name) for slate in slates]) for name in names}
        drawn = all(slate.requests is not None for slate in slates)
        requests = tuple(request for slate in slates for request in slate.requests or ()) if drawn else None
        first = slates[0]
        return cls(first.target, ids, scores, np.concatenate(codes), servers, first.vocabulary, extras, requests)

    def extra(self, name: str) -> Floats:
        """Return the column `name` of `extras`, float32 [Q, n]; NaN everywhere if the slate has no such column."""
        return self.extras[name] if name in self.extras else np.full(self.ids.shape, np.nan, np.float32)

    def take(self, rows: slice) -> Slate:
        """Return the slates of the queries in these rows."""
        return replace(
            self,
            ids=self.ids[rows],
            scores=self.scores[rows],
            served_by=self.served_by[rows],
            extras={name: values[rows] for name, values in self.extras.items()},
            requests=None if self.requests is None else self.requests[rows],
        )

    def behind(self, first: Ragged) -> Slate:
        """Return the slates with other ids at the first places, and behind them their own as far as there are places.

        first: for each query ids that its slate does not hold; their scores and extras are NaN
        """
        places = self.ids.shape[1]
        column = np.arange(places) - first.lengths[:, None]
        ahead = column < 0

        def moved(values: NDArray[Any], filling: float) -> NDArray[Any]:
            own = np.take_along_axis(values, np.maximum(column, 0), axis=1)
            return np.where(ahead, values.dtype.type(filling), own)

        ids = moved(self.ids, PADDING)
        ids[ahead] = first.ids[(first.offsets[:-1, None] + np.arange(places))[ahead]]
        extras = {name: moved(values, np.nan) for name, values in self.extras.items()}
        return replace(self, ids=ids, scores=moved(self.scores, np.nan), extras=extras)

    def to_frame(self) -> pl.DataFrame:
        """Return a Polars frame with one row per recommendation.

        Its columns are `query` (row number), `rank` (from 1), `id` (external), `score`, `served_by`, all `extras`, and
        `request` if the slates were drawn. Its method `to_pandas` returns a pandas frame. Raises ValueError if the
        slate has no vocabulary.
        """
        return self.lazy_frame().collect()

    def lazy_frame(self) -> pl.LazyFrame:
        """Return the frame of `to_frame` as a LazyFrame.

        If it is collected by Polars' streaming engine, not all texts are in memory at once.
        """
        import polars as pl

        if self.vocabulary is None:
            raise ValueError("this slate holds codes and no vocabulary: give it one with dataclasses.replace")
        servers = pl.Series(self.servers, dtype=pl.String)
        place, width = pl.col("place").cast(pl.Int64), self.ids.shape[1]

        def text(column: str, texts: pl.Series) -> pl.Expr:
            return pl.col(column).map_batches(texts.gather, return_dtype=pl.String, is_elementwise=True)

        flat = {
            "id": self.ids.reshape(-1),
            "score": self.scores.reshape(-1),
            "served_by": np.repeat(self.served_by, width),
        } | {name: values.reshape(-1) for name, values in self.extras.items()}
        if self.requests is not None:
            flat["request"] = np.repeat(np.arange(len(self)), width)
        rows = pl.LazyFrame(flat).with_row_index("place").filter(pl.col("id") != PADDING)
        return rows.select(
            query=(place // width).cast(pl.Int32),
            rank=(place % width + 1).cast(pl.Int32),
            id=text("id", self.vocabulary.ids),
            score="score",
            served_by=text("served_by", servers),
            **{name: pl.col(name) for name in self.extras},
            **({} if self.requests is None else {"request": text("request", pl.Series(self.requests))}),
        )
