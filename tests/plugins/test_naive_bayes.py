"""Naive Bayes: the logarithms as by hand, what says nothing, and the contract."""

from dataclasses import replace

import numpy as np

from hybridrec import Ragged
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_tags.bayes import NaiveBayes, NaiveBayesOptions


class TestNaiveBayesContract(ComponentContract):
    component = NaiveBayes
    configs = [{}, {"smoothing": 5, "prior": 0}]
    learns_the_checkerboard = ("items",)


def fitted(data, **options):
    return NaiveBayes(NaiveBayesOptions(**options)).fit(data, np.random.default_rng(0))


def test_the_score_is_the_prior_and_every_items_likelihood():
    data = toy_dataset()
    queries = data.queries(np.array([3, 8], np.int32))
    had, tags = data.interactions.matrix(binary=True).toarray(), data.user_matrix("tags").sign().toarray()
    share, n = had.sum(axis=0) / 59, tags.sum(axis=0)
    likelihood = (had.T @ tags + 2 * share[:, None]) / (n + 2)
    shown = queries.history.matrix(binary=True).toarray() > 0
    wanted = [0.5 * np.log(n) + np.log(likelihood[row] / share[row, None]).sum(axis=0) for row in shown]
    scores = fitted(data, smoothing=2, prior=0.5).scores(queries, "tags")
    np.testing.assert_allclose(scores, wanted, rtol=1e-4)


def test_an_item_is_no_witness_for_itself():
    data = toy_dataset()
    queries = data.queries(np.array([3], np.int32))
    queries = replace(queries, history=queries.history.last(1))
    (mine,) = queries.history.ids
    had = data.interactions.matrix(binary=True).toarray()
    n = had.sum(axis=0)[mine]
    scores = fitted(data, smoothing=1, prior=0).scores(queries, "items")
    np.testing.assert_allclose(scores[0, mine], -np.log(n + 1), rtol=1e-5)


def test_items_that_nobody_had_say_nothing_and_are_never_proposed():
    data = toy_dataset()
    cold = len(data.items) - 1
    warm, unknown = [0, 2], [0, 2, cold]
    queries = replace(data.queries(np.arange(3, dtype=np.int32)), history=Ragged.from_rows([warm, unknown, [cold]], 40))
    for target in ("items", "tags"):
        scores = fitted(data).scores(queries, target)
        np.testing.assert_array_equal(scores[0], scores[1])
        assert np.isnan(scores[2]).all()
    assert np.isnan(fitted(data).scores(queries, "items")[:, cold]).all()
