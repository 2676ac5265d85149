"""The command `export`: files of an exporter, with its options."""

from pathlib import Path

import polars as pl
import pytest

import hybridrec

HALF = '''
import numpy as np
from hybridrec import Segmenter


class Half(Segmenter):
    """One segment."""

    name = "half"

    def segment(self, queries, data):
        return np.full(len(queries), "x")
'''


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


@pytest.fixture
def half(tmp_path) -> Path:
    """The file of a segmenter without packaging."""
    file = tmp_path / "half.py"
    file.write_text(HALF)
    return file


def test_the_split_of_a_run_with_a_plugin_file_needs_the_file_again(call, experiment, half):
    run = hybridrec.run(experiment(), ["compare.segments=[half]"], plugins=[half])
    split = ("export", run.folder, "--format", "split")
    status, _, err = call(*split)
    assert status != 0
    assert f"hand over 'half' ({half.as_posix()}), as it was then, with `--plugin FILE.py`" in err
    assert not (run.folder / "split").exists()
    status, _, err = call(*split, "--plugin", half)
    assert (status, err) == (0, "")
    assert set(pl.read_parquet(run.folder / "split" / "queries.parquet")["half"]) == {"x"}
    half.write_text(HALF.replace('"x"', '"y"'))
    status, _, err = call(*split, "--plugin", half)
    assert status != 0
    assert "as it was then" in err
