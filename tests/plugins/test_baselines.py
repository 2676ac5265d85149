"""Baselines: counts as by hand, and the contract."""

from dataclasses import replace

import numpy as np
import pytest

import hybridrec_baselines
from hybridrec import DataError, Exclude, Ragged
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset, toy_queries
from hybridrec_baselines.fixed_rankings import Listed, ListedOptions, Newest, Random
from hybridrec_baselines.popularity import Popularity, PopularityOptions

RNG = np.random.default_rng(0)


class TestPopularityContract(ComponentContract):
    component = Popularity
    configs = [{}, {"count": "weights", "half_life": 7}, {"half_life": 30}]


class TestPopularityByTagsContract(ComponentContract):
    component = Popularity
    configs = [{"by": "tags"}, {"by": "tags", "count": "weights"}]


class TestPopularityByUserFeaturesContract(ComponentContract):
    component = Popularity
    configs = [{"by": "user-features"}]


class TestRandomContract(ComponentContract):
    component = Random


class TestNewestContract(ComponentContract):
    component = Newest


class TestListedContract(ComponentContract):
    component = Listed
    configs = [{"ids": ["item 03", "item 00", "item 08", "item 11"]}]


def test_what_the_package_offers():
    assert [component.name for component in hybridrec_baselines.hybridrec_components()] == [
        "popularity",
        "personal-popularity",
        "trending",
        "newest",
        "random",
        "listed",
    ]


def small(rows, times=None, weights=None):
    """Four users of three items with the given histories."""
    history = Ragged.from_rows(rows, 3)
    return replace(
        toy_dataset(users=4, items=3, tags=2),
        interactions=replace(
            history,
            times=None if times is None else np.array(times, float),
            weights=None if weights is None else np.array(weights, np.float32),
        ),
    )


def popularity(data, **options):
    return Popularity(PopularityOptions(**options)).fit(data, RNG).scores(toy_queries(data), "items")[0]


def test_popularity_counts_each_user_once():
    assert popularity(small([[0, 0, 1], [0], [], []])).tolist() == [1, 0.5, 0]


def test_popularity_of_weights_adds_them_up():
    data = small([[0, 0, 1], [0], [], []], weights=[1, 2, 8, 1])
    assert popularity(data, count="weights").tolist() == [2, 4, 0]


def test_popularity_halves_with_age_and_counts_the_latest_time_of_a_pair():
    data = small([[0, 0], [1], [2], [1]], times=[0, 86_400 * 10, 0, np.nan, 86_400 * 10])
    assert popularity(data, half_life=10).tolist() == [0.25, 0.375, 0]


def test_half_life_without_times_is_refused():
    with pytest.raises(DataError, match="half_life"):
        popularity(small([[0], [1], [], []]), half_life=10)


def test_popularity_by_tags_prefers_what_users_of_the_tag_have():
    data = toy_dataset()
    queries = parity_queries(data, "tags")
    model = Popularity(PopularityOptions(by="tags", smoothing=1e-6)).fit(data, RNG)
    tags, had = data.user_matrix("tags").sign().toarray(), data.interactions.matrix(binary=True).toarray()
    means = [np.mean([had[tags[:, t] > 0].mean(axis=0) for t in (c, c + 2, c + 4)], axis=0) for c in (0, 1)]
    np.testing.assert_allclose(model.scores(queries, "items"), means, atol=1e-5)


def test_popularity_by_tags_leans_on_the_overall_share():
    data = toy_dataset()
    overall = Popularity().fit(data, RNG).scores(toy_queries(data), "items")
    model = Popularity(PopularityOptions(by="tags", smoothing=1e9)).fit(data, RNG)
    tagged = model.scores(parity_queries(data, "tags"), "items")
    np.testing.assert_allclose(tagged, overall[:2], rtol=1e-5)
    assert np.isnan(model.scores(parity_queries(data, "title"), "items")).all()  # the next fallback serves them


def test_popularity_by_user_features_prefers_what_like_users_have():
    data = toy_dataset()
    queries = data.queries(np.array([0, 1, -1], np.int32))
    model = Popularity(PopularityOptions(by="user-features", smoothing=1e-6)).fit(data, RNG)
    scores = model.scores(replace(queries, users=np.array([0, 1, -1], np.int32)), "items")
    traits, had = data.users.features.matrix.toarray(), data.interactions.matrix(binary=True).toarray()
    means = [np.mean([had[traits[:, f] > 0].mean(axis=0) for f in np.flatnonzero(traits[u])], axis=0) for u in (0, 1)]
    np.testing.assert_allclose(scores[:2], means, atol=1e-5)
    assert np.isnan(model.scores(replace(queries, user_features=None), "items")).all()
    with pytest.raises(DataError, match="needs features of users"):
        Popularity(PopularityOptions(by="user-features")).fit(data.with_entities("users", features=None), RNG)


def test_newest_comes_first_and_unknown_times_last():
    data = toy_dataset(users=4, items=4, tags=2).with_entities("items", times=np.array([5.0, np.nan, 9.0, 9.0]))
    candidates = Newest().fit(data, RNG).candidates(toy_queries(data), 4, "items", Exclude())
    assert candidates.ids[0].tolist() == [2, 3, 0, 1]


def test_a_list_keeps_its_order_and_knows_nothing_else():
    data = toy_dataset()
    listed = Listed(ListedOptions(ids=["item 03", "item 00", "item 08"])).fit(data, RNG)
    candidates = listed.candidates(toy_queries(data), 5, "items", Exclude())
    assert (candidates.ids == [3, 0, 8, -1, -1]).all()
    with pytest.raises(DataError, match="1 id is not in the data, first 'item 99'"):
        Listed(ListedOptions(ids=["item 99"])).fit(data, RNG)


def test_random_follows_its_seed():
    data = toy_dataset()
    first, again, other = (Random().fit(data, np.random.default_rng(seed)).state()["items"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
