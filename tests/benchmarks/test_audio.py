"""The benchmark of audio, small: the same files and the same command as in its full size."""

import numpy as np
import pytest
import yaml

from benchmarks import audio
from hybridrec.config.load import load_experiment
from hybridrec.data.readers.setlists import SetlistsReader
from hybridrec.registry.discovery import Registry


def test_a_sparse_file_is_reduced_by_the_command_within_its_bounds(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(audio, "BLOCK", 3)
    large = tmp_path / "spectrograms.npy"
    audio.write_sparse(large, 1200, rng)
    assert large.stat().st_size > 1200 * 4 * 128 * 128
    assert large.stat().st_blocks * 512 < large.stat().st_size / 10
    _, peak = audio.reduced(large, tmp_path / "vectors.npy")
    assert peak < 1e9
    vectors = np.load(tmp_path / "vectors.npy")
    assert vectors.shape == (1200, audio.DIMS)
    assert (vectors.any(axis=1) == (np.arange(1200) % audio.WRITTEN == 0)).all()


def test_both_ways_to_reduce_keep_as_much(tmp_path, monkeypatch, rng):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(audio, "SHAPE", (16, 16))
    np.save(tmp_path / "part.npy", audio.spectrograms(800, rng))
    assert audio.ours(tmp_path / "part.npy") == pytest.approx(audio.incremental(tmp_path / "part.npy"), abs=0.01)


def test_the_experiment_on_quality_is_valid(tmp_path, rng):
    data = SetlistsReader().read()
    path = audio.write_experiment(tmp_path, data, 3.0, rng)
    assert yaml.safe_load(path.read_text()) == audio.EXPERIMENT
    assert np.load(tmp_path / "spectrograms.npy").shape == (len(data.items), *audio.SMALL)
    load_experiment(path, Registry())
