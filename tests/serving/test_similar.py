"""Neighbours in the space of a component: nearest first, without what was asked."""

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, Query
from hybridrec.serving.recommender import load
from hybridrec.serving.similar import similar


def test_neighbours_leave_out_what_was_asked_and_refuse_what_proposes_nothing(recommender):
    near = similar(recommender, "ease", Query(items=["item 02"]), "items", 5)
    assert len(near) == 5
    assert "item 02" not in [item.id for item in near]
    assert all(int(item.id[-2:]) % 2 == 0 for item in near[:3])
    assert [item.similarity for item in near] == sorted((item.similarity for item in near), reverse=True)
    with pytest.raises(ConfigError, match="no component is labelled 'eas': did you mean 'ease'"):
        similar(recommender, "eas", Query(items=["item 02"]), "items", 5)
    with pytest.raises(ConfigError, match="proposes no tags"):
        similar(recommender, "ease", Query(items=["item 02"]), "tags", 5)


def test_neighbours_in_a_space_of_vectors_are_by_cosine(experiment):
    run = hybridrec.run(experiment(("  ease: {l2: 5}", "  ease: {use: als, factors: 8}"), ("workers: 2", "refit: all")))
    recommender = hybridrec.load(run)
    near = similar(recommender, "ease", Query(items=["item 02"]), "items", 100)
    assert "item 02" not in [item.id for item in near]
    assert all(-1.001 <= item.similarity <= 1.001 for item in near)
    assert np.mean([int(item.id[-2:]) % 2 == 0 for item in near[:10]]) > 0.8


def test_neighbours_of_tags_and_words_come_from_their_own_spaces(experiment):
    pytest.importorskip("gensim")
    w2v = ("  noise: {use: echo}", "  noise: {use: echo}\n  w2v: {use: word2vec, dim: 4, epochs: 1}")
    served = w2v, ("scorers: [pop]", "scorers: [pop, w2v]"), ("workers: 2", "refit: all")
    recommender = load(hybridrec.run(experiment(*served)))
    tags = similar(recommender, "w2v", Query(tags=["tag 02"]), "tags", 3)
    assert [near.id[:4] for near in tags] == ["tag "] * 3
    assert "tag 02" not in {near.id for near in tags}
    words = similar(recommender, "w2v", Query(text="even"), "words", 3)
    assert words
    assert "even" not in {near.id for near in words}
    with pytest.raises(ConfigError, match=r"'ease' \(ease\) has no vectors of words"):
        similar(recommender, "ease", Query(text="even"), "words", 3)


def test_an_unknown_item_has_no_neighbours(recommender):
    assert similar(recommender, "ease", Query(items=["nobody"]), "items", 3) == []
