"""Dense vectors that describe the content of items, read from a Parquet, JSON Lines or .npy file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrec.data.io.columns import ColumnTable
from hybridrec.data.io.files import NO_FRAMES, FileSource
from hybridrec.data.io.npy import NpyRows
from hybridrec.errors import DataError
from hybridrec.types import Floats

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.io import text_files


class ItemVectors(FileSource):
    """Dense content of items: audio or text embeddings; items that are not listed get zeros."""

    id: str = "id"
    """Column of the item (Parquet, JSON Lines). A .npy file has one row for each row of the `items` file of the reader
    `table`; it is read in blocks. `hybridrec reduce` makes a smaller .npy file of a large one, or a Parquet file of
    vectors from a folder of spectrograms.
    """

    vector: str = "vector"
    """Column of the vector, a list of numbers (Parquet, JSON Lines)."""

    def read(
        self,
        bad_lines: text_files.BadLines,
        frames: Mapping[str, pl.DataFrame] = NO_FRAMES,
        rows: pl.Series | None = None,
    ) -> tuple[pl.Series, Floats]:
        """Return the ids of items and their vectors, float32 [N, D], all finite.

        `rows` has the item of each row of a .npy file. Raises DataError if the file is missing or malformed, or if it
        is a .npy file and `rows` is not given.
        """
        if self.path.suffix != ".npy":
            file = ColumnTable.of(self, bad_lines, frames)
            ids, vectors = file.ids(self.id), file.vectors(self.vector)
            usable = ids.is_not_null().to_numpy() & np.isfinite(vectors).all(axis=1)
            return ids.filter(usable), vectors[usable]
        if rows is None:
            raise DataError(
                f"{self.path}: a .npy file does not say whose vectors it holds; right is the Parquet file that "
                "`hybridrec reduce FOLDER` makes of a folder with a file for each item"
            )
        return rows, _load_npy(self.path, len(rows))


def _load_npy(path: Path, rows: int) -> Floats:
    """Return the vectors in a .npy file: float32 [rows, D].

    Raises DataError for an array of another shape, and for a number that is not finite.
    """
    stored = NpyRows.of(path)
    if len(stored.shape) != 2 or len(stored) != rows:
        raise DataError(
            f"{path} has the shape {stored.shape}; right is one vector for each of the {rows} rows of items "
            "(`hybridrec reduce` makes vectors of arrays with more axes)"
        )
    vectors = np.empty(stored.shape, np.float32)
    for place, block in stored.blocks():
        vectors[place] = block
    return vectors
