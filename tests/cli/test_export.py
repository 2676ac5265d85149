"""The command `export`: files of an exporter, with its options."""

import pytest

import hybridrec


def test_vectors_are_exported(call, experiment, tmp_path):
    pytest.importorskip("gensim")
    noise, scorers = "noise: {use: echo}", ("scorers: [pop]", "scorers: [pop, w2v]")
    w2v = (noise, f"{noise}\n  w2v: {{use: word2vec, dim: 4, epochs: 1}}")
    config = experiment(w2v, scorers, ("workers: 2", "refit: all"))
    folder = hybridrec.run(config).folder
    status, out, err = call("export", folder, "--format", "word2vec", "--set", "label=w2v")
    assert (status, err) == (0, "")
    assert str(folder / "word2vec" / "w2v.items.txt") in out.splitlines()
    status, _, err = call("export", folder, "--set", "label=w2v")
    assert status == 2
    assert "--format trec --set: label: unknown key" in err
