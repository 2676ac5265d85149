"""Short vectors of wide ones: as exact as all rows at once, by the command `reduce`, too."""

import numpy as np
import pytest

from hybridrec import DataError, NpyRows
from hybridrec.testing import CommandContract
from hybridrec_vectors.principal_components import pca
from hybridrec_vectors.reduction import reduce
from tests.data.builders import spectrograms


class TestReduce(CommandContract):
    command = reduce


def test_the_components_are_those_of_an_exact_decomposition(save_npy):
    array = spectrograms()
    centred = array.reshape(200, 30) - array.reshape(200, 30).mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    found = pca(NpyRows.of(save_npy(array)), 4, np.random.default_rng(0))
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(left[:, :4] * values[:4]), atol=2e-3)
    assert found.explained == pytest.approx((values[:4] ** 2).sum() / (values**2).sum(), rel=1e-5)


def test_more_columns_than_directions_looked_at(save_npy):
    array = spectrograms(300, (20, 10))
    values = np.linalg.svd(array.reshape(300, 200) - array.reshape(300, 200).mean(axis=0), compute_uv=False) ** 2
    found = pca(NpyRows.of(save_npy(array)), 4, np.random.default_rng(0))
    assert found.explained == pytest.approx(values[:4].sum() / values.sum(), rel=1e-4)


def test_rows_of_zeros_are_unknown_and_bear_on_nothing(save_npy):
    array = spectrograms()
    some = np.arange(200) % 3 == 0
    known = pca(NpyRows.of(save_npy(array[~some])), 3, np.random.default_rng(0)).vectors
    array[some] = 0
    found = pca(NpyRows.of(save_npy(array)), 3, np.random.default_rng(0)).vectors
    assert not found[some].any()
    np.testing.assert_allclose(found[~some], known, atol=2e-3)


def test_nothing_but_zeros(save_npy):
    found = pca(NpyRows.of(save_npy(np.zeros((5, 4)))), 2, np.random.default_rng(0))
    assert (found.vectors.tolist(), found.explained) == ([[0, 0]] * 5, 1)


def test_more_dimensions_than_there_are(save_npy):
    with pytest.raises(DataError, match="200 rows of 30 numbers; they cannot be reduced to 31 dimensions"):
        pca(NpyRows.of(save_npy(spectrograms())), 31, np.random.default_rng(0))


def test_reduce_makes_vectors_that_are_not_overwritten_by_accident(call, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 4, 5)))
    command = ("reduce", tmp_path / "x.npy", "--dims", "3", "-o", tmp_path / "v.npy")
    status, out, _ = call(*command)
    assert status == 0
    assert "3 numbers in place of 20 for each of 30 items, with" in out
    vectors = np.load(tmp_path / "v.npy")
    assert (vectors.shape, vectors.dtype) == ((30, 3), np.float32)
    assert call(*command)[0] == 2
    assert call(*command, "--force")[0] == 0
    assert (np.load(tmp_path / "v.npy") == vectors).all()
