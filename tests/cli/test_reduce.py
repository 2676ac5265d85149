"""The command `reduce`: short vectors of wide ones."""

import numpy as np


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
