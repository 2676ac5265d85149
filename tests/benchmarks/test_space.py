"""The checks of a space find what is there: playlists beside their songs, neighbours of one colour."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import hybridrec
from benchmarks import space

W2V = ("noise: {use: echo}", "noise: {use: echo}\n  w2v: {use: word2vec, dim: 8, fields: [user, items, tags, title]}")


def test_kl_is_that_of_the_smoothed_distributions():
    own, others = csr_matrix(np.array([[1.0, 0], [0, 0]])), csr_matrix(np.array([[0.0, 3], [0, 0]]))
    p, q = np.array([1.5, 0.5]) / 2, np.array([0.5, 3.5]) / 4
    assert space.kl(own, others) == pytest.approx([(p * np.log(p / q)).sum(), 0])


def test_nearest_leaves_out_itself_and_pools_the_tags_of_the_others(monkeypatch):
    monkeypatch.setattr(space, "NEIGHBOURS", 1)
    monkeypatch.setattr(space, "BLOCK", 2)
    near = space.nearest(np.array([[1, 0], [0, 1], [0.9, 0.1]], np.float32))
    assert near.ravel().tolist() == [2, 2, 0]
    tags = csr_matrix(np.eye(3, dtype=np.float32))
    assert space.pooled(tags, near).toarray().argmax(axis=1).tolist() == [2, 2, 0]


def test_the_table_of_a_run_goes_onto_its_page(experiment, tmp_path, monkeypatch, capsys):
    pytest.importorskip("gensim")
    config = experiment(W2V, ("scorers: [pop]", "scorers: [pop, w2v]"), ("workers: 2", "refit: all"))
    page = tmp_path / "page.md"
    page.write_text("<!-- toy space -->\n<!-- /toy space -->\n")
    monkeypatch.setattr(space, "PAGES", (page,))
    space.main(str(hybridrec.run(config).folder), "w2v")
    lines = page.read_text().splitlines()[3:-1]
    assert [line.split("|")[1].split()[-6:] for line in lines[:1]] == [
        ["id", "with", "the", "mean", "of", "its", "songs"][1:]
    ]
    assert len(lines) == 4
    assert all(float(re.search(r"([\d.]+) % \|$", line)[1]) > 70 for line in lines)
    with pytest.raises(SystemExit, match="'pop' has no vectors"):
        space.main(str(next(tmp_path.glob("runs/*"))), "pop")
