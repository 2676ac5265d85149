"""Arrays larger than a block: read in any type, refused where broken."""

import numpy as np
import pytest

from hybridrec import NpyRows
from hybridrec.data.io import npy
from hybridrec.errors import DataError


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Writes an array as .npy; a block holds a few rows of it."""
    monkeypatch.setattr(npy, "BLOCK", 5000)

    def write(array, **options):
        np.save(tmp_path / "x.npy", array, **options)
        return tmp_path / "x.npy"

    return write


def spectrograms(rows=200, shape=(6, 5)):
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(4, *shape))
    return np.tensordot(rng.normal(size=(rows, 4)) * [9, 5, 3, 2], patterns, 1) + rng.normal(size=(rows, *shape)) + 20


def test_blocks_are_the_rows_in_order_as_float32(save):
    for dtype in (np.float16, np.float32, np.float64, np.uint8, ">f4"):
        array = spectrograms().clip(0, 255).astype(dtype)
        rows = NpyRows.of(save(array))
        parts, blocks = zip(*rows.blocks(), strict=True)
        assert len(parts) > 3
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        whole = np.concatenate(blocks)
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(whole, array.reshape(200, 30).astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named_by_their_row(save, bad):
    array = spectrograms()
    array[171, 2, 2] = bad
    with pytest.raises(DataError, match=r"x\.npy, row 172: not all numbers are finite"):
        list(NpyRows.of(save(array)).blocks())


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((3, 2), complex), np.asfortranarray(np.ones((3, 2))), np.array([["a"]])]
)
def test_what_has_no_rows_of_real_numbers_is_refused(save, array):
    with pytest.raises(DataError, match="right is a row of real numbers"):
        NpyRows.of(save(array))


def test_objects_are_not_unpickled(save):
    with pytest.raises(DataError, match=r"cannot be read as \.npy"):
        NpyRows.of(save(np.array([[{}]], object), allow_pickle=True))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npy cannot be read"):
        NpyRows.of(tmp_path / "gone.npy")
