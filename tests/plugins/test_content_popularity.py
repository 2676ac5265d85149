"""Expected popularity from content: recovers known effects, cold items, times; and the contract."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DataError, Features
from hybridrec.testing import ComponentContract, toy_dataset, toy_queries
from hybridrec_content.expected_popularity import ContentPopularity, ContentPopularityOptions

RNG = np.random.default_rng(0)


class TestContentPopularityContract(ComponentContract):
    component = ContentPopularity
    configs = [{}, {"kinds": ["text", "vectors"], "time_steps": 0}, {"kinds": [], "min_items": 1}]


def scores(data, **options):
    model = ContentPopularity(ContentPopularityOptions(**options)).fit(data, RNG)
    return model.scores(toy_queries(data), "items")


def with_features(data, flags):
    names = tuple(f"f{column}" for column in range(flags.shape[1]))
    return data.with_entities("items", features=Features.of_labels(names, csr_matrix(flags, dtype=np.float32)))


def counts(data):
    return data.interactions.matrix(binary=True).getnnz(axis=0)


def test_one_feature_gives_the_logarithm_of_the_mean_number_of_users():
    data = toy_dataset()
    flags = np.arange(40)[:, None] % 3 == 0
    n, is_had = counts(data), counts(data) > 0
    # Every item has the second feature, or it would have no content; the intercept takes its effect.
    data = with_features(data, np.hstack((flags, np.ones((40, 1), bool))))
    scored = scores(data, kinds=["features"], pairs=False, time_steps=0, l2=1e-6)[0]
    wanted = np.where(flags[:, 0], n[is_had & flags[:, 0]].mean(), n[is_had & ~flags[:, 0]].mean())
    np.testing.assert_allclose(scored, np.log(wanted), atol=1e-3)


def test_cold_items_get_what_items_like_them_have_and_do_not_count_as_unpopular():
    data = toy_dataset()
    flags = np.stack((np.arange(40) < 20, np.arange(40) >= 20), axis=1)
    few = with_features(data.hide((data.interactions.ids < 20) & (data.interactions.rows > 10)), flags)
    options = {"kinds": ["features"], "time_steps": 0, "l2": 0.1}
    before = scores(few, **options)[0]
    after = scores(few.hide(few.interactions.ids == 5), **options)[0]
    assert counts(few.hide(few.interactions.ids == 5))[5] == 0
    assert before[:20].max() < before[20:].min()
    assert after[5] == after[4]
    assert abs(after[5] - before[5]) < 0.2


def test_the_same_for_every_query():
    scored = scores(toy_dataset())
    assert (scored == scored[0]).all()


def test_pairs_say_what_neither_of_two_features_says():
    data = toy_dataset()
    a, b = np.arange(40) % 2 == 0, np.arange(40) // 2 % 2 == 0
    data = data.hide(((a == b)[data.interactions.ids]) & (data.interactions.rows > 10))
    data = with_features(data, np.stack((a, b, ~a, ~b), axis=1))
    options = {"kinds": ["features"], "time_steps": 0, "l2": 0.1}
    with_pairs, without = (scores(data, pairs=pairs, **options)[0] for pairs in (True, False))
    gap = [scored[a != b].mean() - scored[a == b].mean() for scored in (with_pairs, without)]
    assert gap[0] > 1
    assert abs(gap[1]) < 0.2


def test_times_count_in_steps_and_unknown_ones_do_not():
    data = toy_dataset()
    data = data.hide((data.interactions.ids < 20) & (data.interactions.rows > 10))
    scored = scores(data, kinds=[], time_steps=4, l2=0.1)[0]
    assert np.isnan(scored[3]), "item 3 has no time, and nothing else is read"
    assert np.nanmax(scored[:20]) < scored[20:].min()
    assert len(np.unique(scored[~np.isnan(scored)])) == 4


def test_what_few_items_have_is_left_out():
    data = toy_dataset()
    data = with_features(data, np.arange(40)[:, None] < 3)
    with pytest.raises(DataError, match="features"):
        scores(data, kinds=["features"], time_steps=0, min_items=4)
