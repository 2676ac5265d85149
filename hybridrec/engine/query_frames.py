"""The queries of a run in external ids: what was known, and what was hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.data.splits.base import Fold
from hybridrec.types import Ints, Longs, Sparse, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary

PIECE = 1 << 17
"""Ids of queries, or of slates, that are text at a time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The Q queries of one fold, without its training part."""

    fold: str
    queries: QueryBatch
    truth: dict[Target, Sparse]
    units: Ints

    @classmethod
    def of(cls, fold: Fold) -> Asked:
        """What is worth keeping of a fold after it was asked."""
        return cls(fold.name, fold.queries, fold.truth, fold.units)

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def ids(self) -> int:
        """How many ids stand in the lists of `pieces`."""
        return len(self.queries.history.ids) + self.queries.tags.nnz + sum(truth.nnz for truth in self.truth.values())

    def pieces(self, size: int, data: Dataset) -> Iterator[pl.LazyFrame]:
        """Frames of `size` queries with one row per query: fold, unit (the user behind it), items and tags (what is
        known: lists of ids, items oldest first), text, relevant_items and relevant_tags (what was hidden)."""
        import polars as pl

        queries, history = self.queries, self.queries.history
        known = {
            "items": _Lists(history.ids, history.offsets, data.items),
            "tags": _Lists(queries.tags.indices, queries.tags.indptr, data.tags),
        }
        hidden = {
            f"relevant_{target}": _Lists(truth.indices, truth.indptr, data.items if target == "items" else data.tags)
            for target, truth in self.truth.items()
        }
        texts = [lists.texts(name) for name, lists in (known | hidden).items()]
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            frame = pl.LazyFrame(
                {"unit": data.users.decode(self.units[rows])}
                | {name: lists.ends(rows) for name, lists in known.items()}
                | {"text": pl.Series(queries.text[rows], dtype=pl.String)}
                | {name: lists.ends(rows) for name, lists in hidden.items()}
            )
            yield frame.with_columns(texts).select(pl.lit(self.fold).alias("fold"), pl.all())


def write_asked(file: Path, asked: Sequence[Asked], data: Dataset) -> None:
    """Write the queries of all folds below one another, numbered as everywhere in a run.

    Their ids become text piece by piece as they stream by: those of millions are never all there.
    """
    import polars as pl

    size = max(PIECE * sum(map(len, asked)) // max(sum(part.ids for part in asked), 1), 1)
    pieces = pl.concat(piece for part in asked for piece in part.pieces(size, data))
    pieces.with_row_index("query").sink_parquet(file, compression="zstd", compression_level=1, row_group_size=size)


def names_frame(data: Dataset) -> pl.DataFrame:
    """One row per item: its id, and the name that people read."""
    import polars as pl

    return pl.DataFrame({"id": data.items.ids, "name": pl.Series(data.item_names(), dtype=pl.String)})


@dataclass(frozen=True, slots=True)
class _Lists:
    """Rows of codes, `codes[offsets[r]:offsets[r + 1]]`, on their way to a column of lists of external ids."""

    codes: Ints
    offsets: Longs
    vocabulary: Vocabulary

    def ends(self, rows: slice) -> pl.Series:
        """Where each of these rows begins and ends."""
        import polars as pl

        return pl.DataFrame({"start": self.offsets[:-1][rows], "stop": self.offsets[1:][rows]}).to_struct()

    def texts(self, column: str) -> pl.Expr:
        """The rows whose ends stand in this column."""
        import polars as pl

        def decoded(places: pl.Series) -> pl.Series:
            return self.vocabulary.decode(self.codes[places.to_numpy()])

        ends = pl.col(column).struct
        places = pl.int_ranges(ends.field("start"), ends.field("stop"))
        ids = places.list.eval(pl.element().map_batches(decoded, return_dtype=pl.String, is_elementwise=True))
        return ids.alias(column)
