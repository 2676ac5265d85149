"""Short vectors of wide ones: as exact as all rows at once, by the command `reduce`, too."""

import re

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, NpyRows
from hybridrec.testing import CommandContract
from hybridrec_vectors import spectrogram_folder
from hybridrec_vectors.principal_components import pca
from hybridrec_vectors.reduction import reduce
from hybridrec_vectors.spectrogram_folder import SpectrogramFolder, cropped, pooled
from tests.data.builders import spectrograms


class TestReduce(CommandContract):
    command = reduce


def test_the_components_are_those_of_an_exact_decomposition(save_npy):
    array = spectrograms()
    centred = array.reshape(200, 30) - array.reshape(200, 30).mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    reduced = pca(NpyRows.of(save_npy(array)), 4, np.random.default_rng(0))
    assert reduced.vectors.dtype == np.float32
    np.testing.assert_allclose(np.abs(reduced.vectors), np.abs(left[:, :4] * values[:4]), atol=2e-3)
    assert reduced.explained == pytest.approx((values[:4] ** 2).sum() / (values**2).sum(), rel=1e-5)


def test_more_columns_than_directions_looked_at(save_npy):
    array = spectrograms(300, (20, 10))
    values = np.linalg.svd(array.reshape(300, 200) - array.reshape(300, 200).mean(axis=0), compute_uv=False) ** 2
    reduced = pca(NpyRows.of(save_npy(array)), 4, np.random.default_rng(0))
    assert reduced.explained == pytest.approx(values[:4].sum() / values.sum(), rel=1e-4)


def test_rows_of_zeros_are_unknown_and_bear_on_nothing(save_npy):
    array = spectrograms()
    some = np.arange(200) % 3 == 0
    without = pca(NpyRows.of(save_npy(array[~some])), 3, np.random.default_rng(0)).vectors
    array[some] = 0
    vectors = pca(NpyRows.of(save_npy(array)), 3, np.random.default_rng(0)).vectors
    assert not vectors[some].any()
    np.testing.assert_allclose(vectors[~some], without, atol=2e-3)


def test_nothing_but_zeros(save_npy):
    reduced = pca(NpyRows.of(save_npy(np.zeros((5, 4)))), 2, np.random.default_rng(0))
    assert (reduced.vectors.tolist(), reduced.explained) == ([[0, 0]] * 5, 1)


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


@pytest.fixture
def songs(tmp_path, monkeypatch):
    """A folder of 30 spectrograms of three patterns, of 4 bands and 20 to 60 moments, in two folders below."""
    monkeypatch.setattr(spectrogram_folder, "BLOCK", 4 * 4 * 8 * 7)  # seven rows of 4 x 8
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(3, 4, 1)) * 5
    for song in range(30):
        place = tmp_path / "mel" / f"arena_mel_{song % 2}"
        place.mkdir(parents=True, exist_ok=True)
        heard = patterns[song % 3] + rng.normal(size=(4, rng.integers(20, 61))) - 40
        np.save(place / f"{song + 5}.npy", heard.astype(np.float32))
    return tmp_path / "mel"


@pytest.mark.parametrize("fit", ["pool", "crop"])
def test_a_folder_becomes_a_table_of_ids_and_vectors_in_the_order_of_the_ids(songs, call, tmp_path, fit):
    target = tmp_path / "v.parquet"
    command = ("reduce", songs, "--dims", "2", "--moments", "8", "--fit", fit, "-o", target)
    status, out, _ = call(*command)
    assert status == 0
    assert "2 numbers in place of 32 for each of 30 items, with" in out
    frame = pl.read_parquet(target)
    assert frame["id"].to_list() == [str(song) for song in range(5, 35)]
    vectors = frame["vector"].to_numpy()
    assert vectors.dtype == np.float32
    kinds = np.arange(30) % 3
    centres = np.stack([vectors[kinds == kind].mean(axis=0) for kind in range(3)])
    nearest = np.square(vectors[:, None] - centres).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == kinds.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mel", "v.parquet"], "the rows on the way are gone"
    again = target.read_bytes()
    assert call(*command)[0] == 2
    assert call(*command, "--force")[0] == 0
    assert target.read_bytes() == again


def test_rows_of_a_folder_are_those_of_each_song_alone(songs, tmp_path):
    folder = SpectrogramFolder.of(songs)
    folder.write_rows(tmp_path / "rows.npy", 8, "pool")
    rows = np.load(tmp_path / "rows.npy")
    assert (rows.shape, rows.dtype) == ((30, 4, 8), np.float32)
    for row, file in zip(rows, folder.files, strict=True):
        assert (row == pooled(np.load(file), 8)).all()


def test_ids_that_are_not_all_numbers_are_ordered_as_text(tmp_path):
    for name in ("10", "9", "b"):
        np.save(tmp_path / f"{name}.npy", np.ones((2, 3)))
    assert SpectrogramFolder.of(tmp_path).ids == ["10", "9", "b"]
    (tmp_path / "b.npy").unlink()
    assert SpectrogramFolder.of(tmp_path).ids == ["9", "10"]


def test_pooling_takes_means_over_equal_stretches():
    spectrogram = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert pooled(spectrogram, 3).tolist() == [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]]
    assert pooled(spectrogram, 4).tolist()[0] == [0.5, 1.5, 3.5, 4.5]
    assert pooled(spectrogram[:, :2], 4).tolist()[0] == [0, 0, 1, 1]
    assert pooled(spectrogram[:, :0], 2).tolist() == [[0, 0], [0, 0]]


def test_cropping_takes_the_first_moments_and_pads_with_silence():
    spectrogram = np.array([[-3, -1, -2], [-9, -4, -5]], np.float32)
    assert cropped(spectrogram, 2).tolist() == [[-3, -1], [-9, -4]]
    assert cropped(spectrogram, 4).tolist() == [[-3, -1, -2, -9], [-9, -4, -5, -9]]
    assert cropped(spectrogram[:, :0], 2).tolist() == [[0, 0], [0, 0]]


WRONG = {
    "other bands": ("7.npy", np.ones((3, 9)), r"7\.npy has the shape \(3, 9\) .*right is 4 bands, as those before it"),
    "no moments as an axis": ("7.npy", np.ones(4), r"7\.npy has the shape \(4,\)"),
    "not a number": ("7.npy", np.full((4, 9), np.nan), r"7\.npy: not all numbers are finite"),
    "text": ("7.npy", np.array([["a"]]), r"7\.npy has the shape \(1, 1\) and the type <U1"),
    "the same song twice": ("arena_mel_9/7.npy", np.ones((4, 9)), r"7\.npy: a file in .* has the same id '7'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_folder_is_named_by_its_file(songs, call, tmp_path, case):
    name, array, told = WRONG[case]
    path = songs / name if "/" in name else next(songs.rglob(name))
    path.parent.mkdir(exist_ok=True)
    np.save(path, array)
    status, _, err = call("reduce", songs, "--dims", "2", "--moments", "8", "-o", tmp_path / "v.parquet")
    assert status == 2
    assert re.search(told, err)
    assert [path.name for path in tmp_path.iterdir()] == ["mel"]


def test_a_folder_without_spectrograms_or_with_a_target_without_ids_is_refused(songs, call, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = call("reduce", tmp_path / "empty")
    assert (status, "no .npy file is in this folder" in err) == (2, True)
    status, _, err = call("reduce", songs, "-o", tmp_path / "v.npy")
    assert (status, "written with their ids, as a file NAME.parquet" in err) == (2, True)


def test_the_spectrogram_of_one_song_is_not_taken_for_a_catalogue(call, tmp_path):
    np.save(tmp_path / "7.npy", np.random.default_rng(0).normal(size=(48, 51)))
    command = ("reduce", tmp_path / "7.npy", "--dims", "4", "-o", tmp_path / "v.npy")
    status, _, err = call(*command)
    assert status == 2
    assert "7.npy has the shape (48, 51): the spectrogram of one song in 48 mel bands" in err
    assert not (tmp_path / "v.npy").exists()
    assert call(*command, "--catalogue")[0] == 0
    assert np.load(tmp_path / "v.npy").shape == (48, 4)
