"""The queries of a run in external ids: what was known, and what was hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybridrec.arrays import Ints, Longs, Sparse, Target
from hybridrec.data.dataset import Dataset
from hybridrec.data.folds import Fold
from hybridrec.data.queries import QueryBatch

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary


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

    def frame(self, data: Dataset) -> pl.DataFrame:
        """One row per query: fold, unit (the user behind it), items and tags (what is known: lists of
        ids, items oldest first), text, relevant_items and relevant_tags (what was hidden)."""
        import polars as pl

        queries, history = self.queries, self.queries.history
        hidden = {
            f"relevant_{target}": lists(truth.indices, truth.indptr, data.items if target == "items" else data.tags)
            for target, truth in self.truth.items()
        }
        return pl.DataFrame(
            {
                "fold": [self.fold] * len(queries),
                "unit": data.users.decode(self.units),
                "items": lists(history.ids, history.offsets, data.items),
                "tags": lists(queries.tags.indices, queries.tags.indptr, data.tags),
                "text": list(queries.text),
            }
            | hidden,
            schema_overrides={"text": pl.String},
        )


def asked_frame(asked: Sequence[Asked], data: Dataset) -> pl.DataFrame:
    """The queries of all folds below one another, numbered as everywhere in a run."""
    import polars as pl

    return pl.concat(part.frame(data) for part in asked).with_row_index("query")


def names_frame(data: Dataset) -> pl.DataFrame:
    """One row per item: its id, and the name that people read."""
    import polars as pl

    return pl.DataFrame({"id": data.items.ids, "name": pl.Series(data.item_names(), dtype=pl.String)})


def lists(codes: Ints, offsets: Longs, vocabulary: Vocabulary) -> pl.Series:
    """Rows of codes, `codes[offsets[r]:offsets[r + 1]]`, as a column of lists of external ids."""
    import polars as pl

    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    filled = pl.DataFrame({"row": rows, "id": vocabulary.decode(codes)}).group_by("row", maintain_order=True).agg("id")
    every = pl.DataFrame({"row": np.arange(len(offsets) - 1)})
    return every.join(filled, on="row", how="left", maintain_order="left")["id"].fill_null([])
