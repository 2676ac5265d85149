"""Neighbours carried over to cold items: formulas as written, similar content, times; and the contract."""

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec import DataError
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset
from hybridrec_content.blocks import block
from hybridrec_content.kernel import ContentKernel, log_ages, time_ranks
from hybridrec_content.transfer import ContentTransfer, ContentTransferOptions

RNG = np.random.default_rng(0)
ALL = np.arange(40, dtype=np.int32)


class TestContentTransferContract(ComponentContract):
    component = ContentTransfer
    configs = [
        {},
        {"features": 0, "tags": 0, "text": 0, "time_width": 0, "vectors": 1},
        {"idf": 0, "l2": 0.1, "time": "age"},
    ]
    learns_the_checkerboard = ("items",)


def fit(data, **options):
    return ContentTransfer(ContentTransferOptions(**options)).fit(data, RNG)


def cold(data, items):
    """Without the interactions of these items."""
    return data.hide(np.isin(data.interactions.ids, items))


def shares(data):
    """p(j | i), straight from the definition."""
    x = data.interactions.matrix(binary=True).toarray()
    both = x.T @ x
    n = both.diagonal().copy()
    np.fill_diagonal(both, 0)
    return both / np.maximum(n, 1)[:, None]


def kernel_of(data, shares, **options):
    content = {kind: (share, block(data, kind)) for kind, share in shares.items()}
    return ContentKernel.of(content, data.items.times, time="rank", width=0.3, **options)


def test_warm_items_score_the_sum_of_conditional_probabilities():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    wanted = queries.history.matrix(binary=True) @ shares(data)
    warm = np.diag(shares(data) @ shares(data).T) > 0
    np.testing.assert_allclose(fit(data).scores(queries, "items")[:, warm], wanted[:, warm], atol=1e-5)


def test_cold_items_score_the_kernel_ridge_regression_of_the_warm_ones():
    data = cold(toy_dataset(), [8, 20, 33, 39])
    model = fit(data, l2=2)
    kernel = kernel_of(data, {"tags": 1.0, "features": 1.0, "text": 1.0}, idf=1, min_items=2).matrix(ALL, ALL)
    warm = np.setdiff1d(ALL, [8, 20, 33, 39])
    weights = np.linalg.solve(kernel[np.ix_(warm, warm)] + 2 * np.eye(36), kernel[np.ix_(warm, [8, 20, 33, 39])])
    queries = parity_queries(data, "items")
    wanted = (queries.history.matrix(binary=True) @ shares(data))[:, warm] @ weights
    np.testing.assert_allclose(model.scores(queries, "items")[:, [8, 20, 33, 39]], wanted, atol=1e-4)


def test_the_kernel_is_a_product_over_kinds_and_time():
    data = toy_dataset()
    kernel = kernel_of(data, {"features": 2.0, "text": 0.5}, idf=0, min_items=1)
    (_, features), (_, text) = kernel.parts
    ranks = time_ranks(data.items.times)
    i, j = 4, 10
    cosine = lambda x: (x[i] @ x[j].T).toarray().item()
    near = np.exp(-((ranks[i] - ranks[j]) ** 2) / (2 * 0.3**2))
    wanted = near * (1 + 2 * cosine(features) ** 2) * (1 + 0.5 * cosine(text) ** 2)
    assert kernel.matrix(ALL[4:5], ALL[10:11]).item() == pytest.approx(wanted, rel=1e-5)
    assert np.linalg.eigvalsh(kernel.matrix(ALL, ALL)).min() > -1e-4


def test_ranks_of_times_share_ties_and_leave_unknown_ones_out():
    times = np.array([30.0, np.nan, 10.0, 10.0, 20.0])
    np.testing.assert_allclose(time_ranks(times), [0.875, np.nan, 0.25, 0.25, 0.625])


def test_ages_are_measured_against_the_newest_in_quartiles():
    times = np.array([100.0, 96.0, np.nan, 92.0, 100.0, 88.0, 84.0])
    years, hours = log_ages(times), log_ages(3600 * times)
    np.testing.assert_allclose(years, np.log1p(np.array([0, 4, np.nan, 8, 0, 12, 16]) / 7))
    np.testing.assert_allclose(years, hours)
    assert log_ages(np.array([5.0, 5.0])).tolist() == [0, 0]


def test_cold_items_are_found_by_colour():
    data = cold(toy_dataset(), np.arange(30, 40))
    scores = fit(data).scores(parity_queries(data, "items"), "items")[:, 30:]
    assert (scores[0, ::2] > scores[1, ::2]).all()
    assert (scores[0, 1::2] < scores[1, 1::2]).all()


def test_cold_items_without_content_get_no_opinion():
    data = cold(toy_dataset(), [3, 6]).with_entities("items", features=None)  # item 3 has no time
    scores = fit(data, tags=0, text=0).scores(parity_queries(data, "items"), "items")
    assert np.flatnonzero(np.isnan(scores).any(axis=0)).tolist() == [3]


def test_without_interactions_it_says_so():
    data = toy_dataset()
    with pytest.raises(DataError, match="no interactions"):
        fit(data.hide(np.ones(len(data.interactions.ids), bool)))


def test_options_that_compare_nothing_are_refused():
    with pytest.raises(ValidationError):
        ContentTransferOptions(tags=0, features=0, text=0, time_width=0)
