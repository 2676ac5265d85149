"""Vectors of items from files: by their ids, or by the rows of another file."""

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, text_files
from hybridrec.data.io.item_vectors import ItemVectors


@pytest.fixture
def bad_lines():
    return text_files.BadLines(strict=False)


def test_a_table_names_the_item_of_each_vector(tmp_path, bad_lines):
    frame = pl.DataFrame({"song": [7, None, 8, 9], "v": [[1.0, 2.0], [3.0, 4.0], [5.0, np.nan], [6.0, 7.0]]})
    frame.write_parquet(tmp_path / "v.parquet")
    ids, vectors = ItemVectors(path=tmp_path / "v.parquet", id="song", vector="v").read(bad_lines)
    assert ids.cast(pl.String).to_list() == ["7", "9"]
    assert (vectors.dtype, vectors.tolist()) == (np.float32, [[1, 2], [6, 7]])
    (note,) = bad_lines.notes()
    assert "not a list of finite numbers" in note or "missing" in note


def test_a_frame_may_be_handed_in(bad_lines):
    frame = pl.DataFrame({"id": ["a"], "vector": np.ones((1, 3), np.float32)})
    ids, vectors = ItemVectors(path="frame:item_vectors").read(bad_lines, {"item_vectors": frame})
    assert (ids.to_list(), vectors.tolist()) == (["a"], [[1, 1, 1]])


def test_an_array_needs_the_items_of_its_rows(tmp_path, bad_lines):
    np.save(tmp_path / "v.npy", np.arange(4).reshape(2, 2))
    source = ItemVectors(path=tmp_path / "v.npy")
    ids, vectors = source.read(bad_lines, rows=pl.Series(["b", "a"]))
    assert (ids.to_list(), vectors.tolist()) == (["b", "a"], [[0, 1], [2, 3]])
    with pytest.raises(DataError, match="does not say whose vectors it holds"):
        source.read(bad_lines)
    with pytest.raises(DataError, match=r"one vector for each of the 3 rows of items"):
        source.read(bad_lines, rows=pl.Series(["a", "b", "c"]))
