"""Vectors of items from the words of their texts keep the contract, and serve items nobody has played."""

import numpy as np
import pytest

from hybridrec import Exclude, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_word2vec.embedding import Word2Vec
from hybridrec_word2vec.titles import TitleVectors

pytest.importorskip("gensim")


class TestTitleVectors(ComponentContract):
    component = TitleVectors
    configs = (
        {"dim": 8},
        {"dim": 8, "epochs": 5, "tokenizer": {"use": "char-ngrams"}, "algorithm": "cbow", "window": None},
        {"dim": 8, "query_text": 0},
    )
    learns_the_checkerboard = ("items", "title")


class TestTitleVectorsOfTexts(ComponentContract):
    component = TitleVectors
    configs = ({"dim": 8, "sentences": "texts", "window": 2},)


def test_items_that_nobody_played_are_served_by_their_words():
    data = toy_dataset()
    warm = data.hide(data.interactions.ids >= 20)
    model = TitleVectors(TitleVectors.Config(dim=8)).fit(warm, np.random.default_rng(0))
    query = encode([Query(items=["item 00", "item 02", "item 04"])], data)
    cold = Exclude(ids=np.arange(len(data.items)) < 20)
    assert (model.candidates(query, 8, "items", cold).ids % 2 == 0).all()


def test_items_and_words_of_which_nothing_is_learned_have_no_opinion():
    data = toy_dataset()
    text = ("alone", "", *data.items.text[2:])
    model = TitleVectors(TitleVectors.Config(dim=4, epochs=1)).fit(
        data.with_entities("items", text=text), np.random.default_rng(0)
    )
    vectors = model.vectors("items")
    assert np.isnan(vectors[:2]).all()
    np.testing.assert_allclose(np.linalg.norm(vectors[2:], axis=1), 1, rtol=1e-5)


def test_a_typed_title_is_as_the_item_that_has_it():
    data = toy_dataset()
    model = TitleVectors(TitleVectors.Config(dim=8)).fit(data, np.random.default_rng(0))
    typed, played = (encode([query], data) for query in (Query(text=data.items.text[4]), Query(items=["item 04"])))
    np.testing.assert_allclose(
        model.query_vectors(typed, "items"), model.query_vectors(played, "items"), rtol=1e-4, atol=1e-6
    )
    both = encode([Query(text=data.items.text[5], items=["item 04"])], data)
    own = model.vectors("items")
    np.testing.assert_allclose(
        model.query_vectors(both, "items")[0] * np.linalg.norm(own[4] + own[5]), own[4] + own[5], rtol=1e-4, atol=1e-5
    )
    assert np.isnan(model.query_vectors(encode([Query(text="nobody sings this")], data), "items")).all()


def test_words_of_texts_are_close_that_stand_together_whoever_plays_them(monkeypatch):
    """Sentences are the texts in the order of their words: nobody's plays are read."""
    data = toy_dataset()
    text = ("rain umbrella puddle", "road engine mile") * 20
    data = data.with_entities("items", text=text)
    trained = []
    fit = Word2Vec.fit

    def noting(self, corpus, rng):
        trained.append((self.config, corpus))
        return fit(self, corpus, rng)

    monkeypatch.setattr(Word2Vec, "fit", noting)
    options = TitleVectors.Config(dim=8, sentences="texts", epochs=60, window=2)
    nobody = data.hide(np.ones(len(data.interactions.ids), bool))
    model = TitleVectors(options).fit(nobody, np.random.default_rng(0))
    ((config, corpus),) = trained
    assert not config.shuffle
    assert len(corpus.users) == len(data.items)
    words = model.embeddings(data)["words"]
    sentence = words.vocabulary.decode(corpus.interactions.take(np.array([1])).ids).to_list()
    assert sentence == ["road", "engine", "mile"]
    typed = encode([Query(text="umbrella")], data)
    assert (model.candidates(typed, 10, "items", Exclude()).ids % 2 == 0).all()
    assert words.counts.tolist() == [0] * 6


def test_words_can_be_asked_for_with_the_number_of_their_listeners():
    data = toy_dataset()
    words = (
        TitleVectors(TitleVectors.Config(dim=4, epochs=1)).fit(data, np.random.default_rng(0)).embeddings(data)["words"]
    )
    counts = dict(zip(words.vocabulary.ids, words.counts, strict=True))
    assert counts["song"] == (np.diff(data.interactions.matrix().indptr) > 0).sum()
    assert words.vector("even") is not None
