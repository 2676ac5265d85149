"""Fitted arrays are held once: by all pipelines of a process, and by all processes that map them into memory."""

import mmap

import numpy as np
import pytest

import hybridrec
from hybridrec.inference import array_file as artifact

MODELS = {
    "als": "{use: als, factors: 4, fields: [items]}",
    "bpr": "{use: bpr, factors: 4, fields: [items], iterations: 2}",
    "word2vec": "{use: word2vec, dim: 4, epochs: 1}",
    "lightfm": "{use: lightfm, dim: 4, epochs: 1}",
}


def origin(array):
    """The array that owns the memory of a view."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


@pytest.fixture
def served(experiment, monkeypatch):
    """The components of a run, restored from the store, in which every file counts as large."""

    def load(model, *replacements):
        config = experiment(("workers: 2", "refit: all"), ("noise: {use: echo}", f"noise: {model}"), *replacements)
        run = hybridrec.run(config)
        monkeypatch.setattr(artifact, "_MAPPED", 1)
        return hybridrec.load(run)

    return load


@pytest.mark.parametrize("model", MODELS)
def test_vectors_stay_in_the_file_they_are_stored_in(served, model):
    if model == "lightfm":
        pytest.importorskip("lightfm")
    component = served(MODELS[model]).components["noise"]
    assert isinstance(origin(component.vectors("items")), mmap.mmap)


@pytest.mark.parametrize("model", ["als", "bpr"])
def test_what_folds_queries_in_is_the_same_array(served, model):
    component = served(MODELS[model]).components["noise"]
    of_queries = component._squares.columns if model == "als" else component._columns
    assert np.shares_memory(of_queries, component.vectors("items"))


def test_ten_pipelines_hold_one_array(served):
    more = "".join(
        f"  same-{n}: {{generators: [{{from: noise, k: {n + 1}}}], fallback: [popularity]}}\n" for n in range(10)
    )
    recommender = served(MODELS["als"], ("compare:\n", f"{more}compare:\n"))
    held = [
        source.generator.vectors("items")
        for name, pipeline in recommender.pipelines.items()
        if name.startswith("same-")
        for source in pipeline.sources
    ]
    assert len(held) == 10
    assert all(vectors is held[0] for vectors in held)
