"""The vector of an entity above those of its nearest."""

from __future__ import annotations

import numpy as np

from hybridrec import Entities, StripesFigure, Vocabulary
from hybridrec.stages.figures import NEIGHBOURS

ITEMS = Entities(Vocabulary(["a", "b", "c", "d"]), text=("Ann", "", "Cat", "Dan"))


def test_the_nearest_stand_below_in_order_with_their_cosines():
    vectors = np.array([[2, 0], [1, 1], [np.nan, np.nan], [3, 0.3]], np.float32)
    figure = StripesFigure.of_neighbours(ITEMS, vectors, 0)
    assert figure.title == "Ann and the nearest 2"
    assert list(figure.names) == ["Ann", "Dan", "b"]  # c has no vector
    assert list(figure.texts) == ["", "cosine 1.00", "cosine 0.71"]
    assert np.allclose(figure.vectors, [[1, 0], [0.995, 0.0995], [0.7071, 0.7071]], atol=1e-4)  # at length 1


def test_there_are_as_many_neighbours_as_asked_for():
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert len(StripesFigure.of_neighbours(ITEMS, vectors, 1, n=2).names) == 3
    assert len(StripesFigure.of_neighbours(ITEMS, vectors, 1, n=NEIGHBOURS).names) == 4
