"""Vectors leave a run as word2vec text that gensim reads, with a vocabulary and the model."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError
from hybridrec.testing import ExporterContract
from hybridrec_word2vec.vector_files import Word2VecExporter, export

KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors
SERVED = ("workers: 2", "workers: 2\nrefit: all")
SCORERS = ("scorers: [pop]", "scorers: [pop, w2v]")
WORD2VEC = ("noise: {use: echo}", "noise: {use: echo}\n  w2v: {use: word2vec, dim: 4, epochs: 1}")


class TestWord2VecExporter(ExporterContract):
    exporter = Word2VecExporter
    experiment = Path(__file__).parent / "fixtures" / "vectors.yaml"
    configs = [{}, {"label": "w2v"}]


@pytest.fixture
def recommender(experiment):
    return hybridrec.load(hybridrec.run(experiment(WORD2VEC, SCORERS, SERVED)))


def test_gensim_reads_what_was_written(recommender, tmp_path):
    paths = export(recommender, tmp_path / "out")
    assert [path.name for path in paths] == [
        *("w2v.items.txt", "w2v.tags.txt", "w2v.words.txt"), "w2v.vocabulary.csv", "w2v.npz"
    ]  # fmt: skip
    component = recommender.components["w2v"]
    vocabulary = pl.read_csv(paths[3])
    for target, ids in (("items", recommender.data.vocabulary("items")), ("tags", recommender.data.vocabulary("tags"))):
        read = KeyedVectors.load_word2vec_format(str(tmp_path / f"out/w2v.{target}.txt"))
        vectors = component.embeddings(recommender.data)[target].vectors
        with_vector = np.flatnonzero(~np.isnan(vectors[:, 0]))
        names = [unquote(token) for token in read.index_to_key]
        assert names == ids.decode(with_vector).to_list()
        assert names == vocabulary.filter(kind=target)["id"].to_list()
        np.testing.assert_array_equal(read.vectors, vectors[with_vector])
    counts = dict(vocabulary.filter(kind="items").select("id", "count").rows())
    plays = recommender.data.interactions.matrix().getnnz(axis=0)
    assert counts == {name: n for name, n in zip(recommender.data.items.vocabulary.ids, plays, strict=True) if n}
    words = dict(vocabulary.filter(kind="words").select("id", "count").rows())
    titles = recommender.data.users.text
    assert words["evening"] == sum("evening" in title for title in titles)
    most = vocabulary.filter(kind="items").sort("position")
    assert most["position"].to_list() == list(range(1, len(most) + 1))
    assert most["count"].is_sorted(descending=True)


def test_vectors_of_users_and_features_are_written_by_name(experiment, tmp_path):
    fields = (WORD2VEC[0], WORD2VEC[1].replace("w2v: {", "w2v: {fields: [items, user, features], repeat: {user: 2}, "))
    recommender = hybridrec.load(hybridrec.run(experiment(fields, SCORERS, SERVED)))
    names = [path.name for path in export(recommender, tmp_path)]
    assert names[:3] == ["w2v.users.txt", "w2v.items.txt", "w2v.features.txt"]
    vocabulary = pl.read_csv(tmp_path / "w2v.vocabulary.csv")
    users = dict(vocabulary.filter(kind="users").select("id", "count").rows())
    lengths = recommender.data.interactions.matrix().getnnz(axis=1)
    assert users == {name: n for name, n in zip(recommender.data.users.vocabulary.ids, lengths, strict=True) if n}
    assert {"even", "odd"} <= set(vocabulary.filter(kind="features")["id"])
    read = KeyedVectors.load_word2vec_format(str(tmp_path / "w2v.users.txt"))
    own = recommender.embeddings("w2v")["users"]
    np.testing.assert_array_equal(read[read.index_to_key[3]], own.vector(unquote(read.index_to_key[3])))


def test_a_component_that_asks_the_space_of_another_has_no_state_to_write(experiment, tmp_path):
    two = (WORD2VEC[0], f"{WORD2VEC[1]}\n  near: {{use: word2vec-mean, uses: w2v}}")
    scorers = ("scorers: [pop]", "scorers: [pop, near]")
    recommender = hybridrec.load(hybridrec.run(experiment(two, scorers, SERVED)))
    paths = export(recommender, tmp_path, "near")
    assert [path.name for path in paths] == ["near.items.txt", "near.tags.txt", "near.words.txt", "near.vocabulary.csv"]


def test_the_model_is_the_state(recommender, tmp_path):
    written = np.load(export(recommender, tmp_path)[-1])
    component = recommender.components["w2v"]
    back = type(component)(component.config).restore(dict(written))
    np.testing.assert_array_equal(back.vectors("items"), component.vectors("items"))


def test_what_has_no_vectors_is_refused_with_what_has(recommender, tmp_path):
    with pytest.raises(ConfigError, match="'pop' has no vectors; components with vectors: w2v"):
        export(recommender, tmp_path, "pop")
    with pytest.raises(ConfigError, match="did you mean 'w2v'"):
        export(recommender, tmp_path, "w2c")


def test_of_several_one_has_to_be_named(experiment, tmp_path):
    two = (WORD2VEC[0], f"{WORD2VEC[1]}\n  als: {{factors: 2, iterations: 1}}")
    scorers = ("scorers: [pop]", "scorers: [pop, w2v, als]")
    recommender = hybridrec.load(hybridrec.run(experiment(two, scorers, SERVED)))
    with pytest.raises(ConfigError, match="label=LABEL; components with vectors: als, w2v"):
        export(recommender, tmp_path)
    assert export(recommender, tmp_path, "als")[0].name == "als.items.txt"
