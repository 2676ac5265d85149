"""Queries and slates of a run as Parquet files in external ids, written in pieces to bound the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.engine.results import FoldQueries
from hybridrec.stages.slate import Slate
from hybridrec.types import ITEMS, Ints, Longs

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary

PIECE = 1 << 17
"""Number of ids that are decoded to text at a time."""


def write_queries(file: Path, folds: Sequence[FoldQueries], data: Dataset) -> None:
    """Write the queries of all folds as one table; its column `query` counts through all folds.

    Ids are decoded to text piece by piece, so that the text of millions of ids is never in memory at once.
    """
    import polars as pl

    ids = sum(
        len(fold.queries.history.ids)
        + sum(matrix.nnz for matrix in (*fold.queries.entities.values(), *fold.truth.values()))
        for fold in folds
    )
    size = max(PIECE * sum(map(len, folds)) // max(ids, 1), 1)
    pieces = pl.concat(piece for fold in folds for piece in _query_pieces(fold, size, data))
    pieces.with_row_index("query").sink_parquet(file, compression="zstd", compression_level=1, row_group_size=size)


def write_slates(file: Path, folds: Sequence[Slate]) -> None:
    """Write the slates of all folds as one table in external ids; its column `query` counts through all folds."""
    import polars as pl

    pieces, first = [], 0
    for slate in folds:
        size = max(PIECE // slate.ids.shape[1], 1)
        for start in range(0, len(slate), size):
            rows = slate.take(slice(start, start + size)).lazy_frame()
            pieces.append(rows.with_columns(pl.col("query") + (first + start)))
        first += len(slate)
    # The first level of zstd takes the least time, and its files are about as small.
    pl.concat(pieces).sink_parquet(file, compression="zstd", compression_level=1)


def item_names(data: Dataset) -> pl.DataFrame:
    """Return a frame with one row per item: its `id`, and its `name` for people."""
    import polars as pl

    return pl.DataFrame({"id": data.items.vocabulary.ids, "name": pl.Series(data.items.names(), dtype=pl.String)})


def _query_pieces(fold: FoldQueries, size: int, data: Dataset) -> Iterator[pl.LazyFrame]:
    """Yield frames of `size` queries each, with one row per query.

    Their columns are `fold`, `unit` (the user behind the query), `text` and `time` (seconds since 1970, null if
    unknown), and lists of ids: the visible `items` (oldest first), the visible entities of each other kind, and the
    hidden ids (`relevant_items`, `relevant_tags`, ...).
    """
    import polars as pl

    queries, history = fold.queries, fold.queries.history
    visible = {
        ITEMS: _Lists(history.ids, history.offsets, data.items.vocabulary),
        **{
            kind: _Lists(matrix.indices, matrix.indptr, data.vocabulary(kind))
            for kind, matrix in queries.entities.items()
        },
    }
    hidden = {
        f"relevant_{target}": _Lists(truth.indices, truth.indptr, data.vocabulary(target))
        for target, truth in fold.truth.items()
    }
    times = np.full(len(queries), np.nan) if queries.times is None else queries.times
    texts = [lists.texts(name) for name, lists in (visible | hidden).items()]
    for start in range(0, len(fold), size):
        rows = slice(start, start + size)
        frame = pl.LazyFrame(
            {"unit": data.users.vocabulary.decode(fold.units[rows])}
            | {name: lists.ends(rows) for name, lists in visible.items()}
            | {"text": pl.Series(queries.text[rows], dtype=pl.String)}
            | {"time": pl.Series(times[rows], dtype=pl.Float64, nan_to_null=True)}
            | {name: lists.ends(rows) for name, lists in hidden.items()}
        )
        yield frame.with_columns(texts).select(pl.lit(fold.fold).alias("fold"), pl.all())


@dataclass(frozen=True, slots=True)
class _Lists:
    """Lists of codes, row r being `codes[offsets[r]:offsets[r + 1]]`, to be decoded to lists of external ids."""

    codes: Ints
    offsets: Longs
    vocabulary: Vocabulary

    def ends(self, rows: slice) -> pl.Series:
        """Return the place of each of these lists in `codes`: a struct column (`start`, `stop`), `stop` exclusive."""
        import polars as pl

        return pl.DataFrame({"start": self.offsets[:-1][rows], "stop": self.offsets[1:][rows]}).to_struct()

    def texts(self, column: str) -> pl.Expr:
        """Return an expression that replaces this column, which `ends` has made, by the lists of external ids."""
        import polars as pl

        def decoded(places: pl.Series) -> pl.Series:
            return self.vocabulary.decode(self.codes[places.to_numpy()])

        ends = pl.col(column).struct
        places = pl.int_ranges(ends.field("start"), ends.field("stop"))
        ids = places.list.eval(pl.element().map_batches(decoded, return_dtype=pl.String, is_elementwise=True))
        return ids.alias(column)
