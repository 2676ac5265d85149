"""Song2Vec by plain calls of gensim: its rule by hand, and the hit rates of the component from the same vectors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.systems import song2vec
from hybridrec import ITEMS, Exclude
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of
from hybridrec.registry.discovery import Registry

gensim = pytest.importorskip("gensim.models")

from hybridrec_word2vec.embedding import Word2Vec  # noqa: E402  (without gensim there is nothing to compare)


def keyed(vectors: dict[str, list[float]]):
    kept = gensim.KeyedVectors(len(next(iter(vectors.values()))))
    kept.add_vectors(list(vectors), np.array(list(vectors.values()), np.float32))
    return kept


def test_the_rule_by_hand(monkeypatch):
    monkeypatch.setattr(song2vec, "TOP", 1)
    monkeypatch.setattr(song2vec, "WINDOW", 1)
    vectors = keyed({"east": [9, 0], "north": [0, 1], "between": [1, 1], "nearly": [0.9, 0.1]})
    # The songs around the middle point east by their mean, and between by that of their directions.
    assert song2vec.hit_rate(vectors, ["east", "between", "north"], repeats=True, unit=True) == pytest.approx(1 / 3)
    assert song2vec.hit_rate(vectors, ["east", "between", "north"], repeats=True, unit=False) == 0
    assert song2vec.hit_rate(vectors, ["east", "unknown"], repeats=True, unit=False) == 0
    # Each hears the other, which is itself; with repeats hidden nothing is left to ask by.
    assert song2vec.hit_rate(vectors, ["east", "east"], repeats=True, unit=False) == 1
    assert np.isnan(song2vec.hit_rate(vectors, ["east", "east"], repeats=False, unit=False))


@pytest.mark.parametrize("repeats", [True, False])
def test_the_component_hits_where_gensim_hits_by_the_same_vectors(repeats):
    document = song2vec.document({"reader": "setlists", "min_items": 6}, repeats)
    experiment = load_experiment(document, Registry())
    data = experiment.reader.read()
    (fold,) = folds_of(experiment, data)
    options = {**document["components"]["song2vec"], "dim": 16, "epochs": 3}
    del options["use"]
    model = Word2Vec(Word2Vec.Config.model_validate(options)).fit(fold.train, np.random.default_rng(0))

    queries = fold.queries
    nearest = model.candidates(queries, song2vec.TOP, ITEMS, Exclude()).ids
    hidden = fold.truth[ITEMS].indices
    hits = (nearest == hidden[:, None]).any(axis=1)
    ours = np.bincount(fold.units, fold.weights * hits)

    inputs = model.state()["inputs"]
    trained = np.flatnonzero(~np.isnan(inputs[:, 0])).astype(np.int32)
    vectors = gensim.KeyedVectors(16)
    vectors.add_vectors(data.items.vocabulary.texts(trained), inputs[trained])
    lists = song2vec.songs_of(data)
    users = np.unique(fold.units)
    plain = [song2vec.hit_rate(vectors, lists[name], repeats, unit=True) for name in data.users.vocabulary.texts(users)]
    np.testing.assert_allclose(ours[users], plain, atol=1e-12)
    assert 0 < np.mean(plain) < 1
