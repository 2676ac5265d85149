"""Arrays larger than a block: read in any type, refused where broken, reduced as exactly as all at once."""

import numpy as np
import pytest

from hybridrec.data.io import npy as dense
from hybridrec.data.io.npy import Rows, pca
from hybridrec.errors import DataError


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Writes an array as .npy; a block holds a few rows of it."""
    monkeypatch.setattr(dense, "BLOCK", 5000)

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
        rows = Rows.of(save(array))
        parts, blocks = zip(*rows.blocks(), strict=True)
        assert len(parts) > 3
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        whole = np.concatenate(blocks)
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(whole, array.reshape(200, 30).astype(np.float32))


def test_the_components_are_those_of_an_exact_decomposition(save):
    array = spectrograms()
    centred = array.reshape(200, 30) - array.reshape(200, 30).mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    found = pca(Rows.of(save(array)), 4, np.random.default_rng(0))
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(left[:, :4] * values[:4]), atol=2e-3)
    assert found.explained == pytest.approx((values[:4] ** 2).sum() / (values**2).sum(), rel=1e-5)


def test_more_columns_than_directions_looked_at(save):
    array = spectrograms(300, (20, 10))
    values = np.linalg.svd(array.reshape(300, 200) - array.reshape(300, 200).mean(axis=0), compute_uv=False) ** 2
    found = pca(Rows.of(save(array)), 4, np.random.default_rng(0))
    assert found.explained == pytest.approx(values[:4].sum() / values.sum(), rel=1e-4)


def test_rows_of_zeros_are_unknown_and_bear_on_nothing(save):
    array = spectrograms()
    some = np.arange(200) % 3 == 0
    known = pca(Rows.of(save(array[~some])), 3, np.random.default_rng(0)).vectors
    array[some] = 0
    found = pca(Rows.of(save(array)), 3, np.random.default_rng(0)).vectors
    assert not found[some].any()
    np.testing.assert_allclose(found[~some], known, atol=2e-3)


def test_nothing_but_zeros(save):
    found = pca(Rows.of(save(np.zeros((5, 4)))), 2, np.random.default_rng(0))
    assert (found.vectors.tolist(), found.explained) == ([[0, 0]] * 5, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named_by_their_row(save, bad):
    array = spectrograms()
    array[171, 2, 2] = bad
    with pytest.raises(DataError, match=r"x\.npy, row 172: not all numbers are finite"):
        pca(Rows.of(save(array)), 2, np.random.default_rng(0))


def test_more_dimensions_than_there_are(save):
    with pytest.raises(DataError, match="200 rows of 30 numbers; they cannot be reduced to 31 dimensions"):
        pca(Rows.of(save(spectrograms())), 31, np.random.default_rng(0))


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((3, 2), complex), np.asfortranarray(np.ones((3, 2))), np.array([["a"]])]
)
def test_what_has_no_rows_of_real_numbers_is_refused(save, array):
    with pytest.raises(DataError, match="right is a row of real numbers"):
        Rows.of(save(array))


def test_objects_are_not_unpickled(save):
    with pytest.raises(DataError, match=r"cannot be read as \.npy"):
        Rows.of(save(np.array([[{}]], object), allow_pickle=True))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npy cannot be read"):
        Rows.of(tmp_path / "gone.npy")
