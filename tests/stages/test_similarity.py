"""Similarities are inner products of other vectors: by hand, with NaN for what has no vector."""

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.stages.similarity import SimilarityOptions

RNG = np.random.default_rng(0)
Q, V = (RNG.normal(size=(rows, 5)).astype(np.float32) for rows in (3, 7))
LENGTH = np.linalg.norm(V, axis=1)
COSINE = Q @ V.T / np.linalg.norm(Q, axis=1)[:, None] / LENGTH
DISTANCE = ((Q[:, None] - V) ** 2).sum(axis=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Q @ V.T),
        ({"similarity": "cosine"}, COSINE),
        ({"similarity": "euclidean"}, -DISTANCE),
        ({"norm_exponent": 0.5}, Q @ V.T / LENGTH**0.5),
        ({"norm_exponent": 0}, COSINE * np.linalg.norm(Q, axis=1)[:, None]),
    ],
)
def test_scores_are_inner_products_of_places_and_probes(options, expected):
    similarity = SimilarityOptions(**options)
    places, probes = similarity.places(V), similarity.probes(Q)
    assert places.dtype == probes.dtype == np.float32
    np.testing.assert_allclose(probes @ places.T, expected, rtol=1e-5, atol=1e-5)


def test_the_plain_inner_product_takes_the_vectors_as_they_are():
    assert SimilarityOptions().places(V) is V
    assert SimilarityOptions().probes(Q) is Q


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean"])
def test_rows_of_nan_stay_and_zeros_have_a_score(similarity):
    options = SimilarityOptions(similarity=similarity)
    missing = V.copy()
    missing[2], missing[3] = np.nan, 0
    scores = options.probes(Q) @ options.places(missing).T
    assert np.isnan(scores[:, 2]).all()
    assert np.isfinite(np.delete(scores, 2, axis=1)).all()
    lost = Q.copy()
    lost[1] = np.nan
    scores = options.probes(lost) @ options.places(V).T
    assert np.isnan(scores[1]).all()
    assert np.isfinite(np.delete(scores, 1, axis=0)).all()


def test_an_exponent_belongs_to_the_inner_product():
    with pytest.raises(ValidationError, match="norm_exponent needs similarity: dot; cosine has no exponent"):
        SimilarityOptions(similarity="cosine", norm_exponent=0.5)
