"""Vectors with the entities that they are of, and places by counts."""

import numpy as np

from hybridrec import Embedding, Vocabulary, positions


def test_an_id_has_its_vector_or_none():
    vectors = np.array([[1, 2], [np.nan, np.nan], [3, 4]], np.float32)
    embedding = Embedding(Vocabulary(["a", "b", "c"]), vectors)
    assert embedding.vector("c").tolist() == [3, 4]
    assert embedding.vector("b") is None
    assert embedding.vector("d") is None


def test_the_most_frequent_is_first_and_ties_are_in_the_order_of_ids():
    assert positions(np.array([3, 9, 0, 3])).tolist() == [2, 1, 4, 3]
