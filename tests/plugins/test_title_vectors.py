"""Vectors of items from the words of their texts keep the contract, and serve items nobody has played."""

import numpy as np
import pytest

from hybridrec import Exclude, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_word2vec.titles import TitleVectors

pytest.importorskip("gensim")


class TestTitleVectors(ComponentContract):
    component = TitleVectors
    configs = (
        {"dim": 8},
        {"dim": 8, "epochs": 5, "tokenizer": {"use": "char-ngrams"}, "algorithm": "cbow", "window": None},
    )
    learns_the_checkerboard = ("items",)


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
