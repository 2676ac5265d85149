"""Tag co-occurrence: shares as by hand, what rare tags and the items' own tags say, and the contract."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

import hybridrec_tags
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset
from hybridrec_tags.fallback import TagFallback, TagFallbackOptions


class TestTagFallbackContract(ComponentContract):
    component = TagFallback
    configs = [{}, {"title_weight": 0.5}, {"idf": 0, "smoothing": 1, "item_tags": 0}]
    learns_the_checkerboard = ("tags",)


class TestTitlesContract(ComponentContract):
    component = TagFallback
    configs = [{"title_weight": 1}, {"title_weight": 1, "tokenizer": {"use": "char-ngrams"}}]
    learns_the_checkerboard = ("tags", "title")


def test_what_the_package_offers():
    assert [component.name for component in hybridrec_tags.hybridrec_components()] == [
        "tag-fallback",
        "naive-bayes",
        "tag-draw",
    ]


def fitted(data, **options):
    return TagFallback(TagFallbackOptions(**options)).fit(data, np.random.default_rng(0))


def test_the_score_is_the_weighted_mean_of_smoothed_shares():
    data = toy_dataset()
    queries = parity_queries(data, "tags")
    model = fitted(data, smoothing=2, item_tags=3, idf=1)
    tags, had = data.user_matrix("tags").sign().toarray(), data.interactions.matrix(binary=True).toarray()
    own, p = data.item_matrix("tags").sign().toarray(), had.sum(axis=0) / 59
    n = tags.sum(axis=0) + 3
    share = (tags.T @ had + 3 * own.T + 2 * p) / (n + 2)[:, None]
    weights = queries.matrix("tags").toarray() * np.log1p(59 / n)
    wanted = weights @ share / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.scores(queries, "items"), wanted, rtol=1e-5)


def test_tags_follow_from_items_by_users_and_by_the_items_own_tags():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    scores = fitted(data).scores(queries, "tags")
    even = np.arange(12) % 2 == 0
    assert scores[0, even].min() > scores[0, ~even].max()
    assert scores[1, ~even].min() > scores[1, even].max()
    assert np.isnan(fitted(data).scores(queries, "items")).all()


def test_without_users_tags_follow_from_the_items_own_tags_alone():
    data = toy_dataset().hide_users(np.ones(60, bool))
    queries = parity_queries(toy_dataset(), "items")
    own = (queries.history.matrix(binary=True) @ data.item_matrix("tags").sign()).toarray()
    scores = fitted(data, idf=0).scores(queries, "tags")
    np.testing.assert_allclose(
        scores / scores.sum(axis=1, keepdims=True), own / own.sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_a_cold_item_is_found_through_its_own_tag():
    data = toy_dataset()
    tag = data.item_matrix("tags")[39].indices[0]
    tags = csr_matrix((np.ones(1, np.float32), ([0], [tag])), shape=(1, 12))
    queries = data.queries(np.array([59], np.int32))
    score = {weight: fitted(data, item_tags=weight) for weight in (0, 5)}
    asked = replace(queries, entities={"tags": tags})
    assert score[0].scores(asked, "items")[0, 39] == 0
    assert score[5].scores(asked, "items")[0, 39] > 0


def test_an_unknown_tag_gives_no_opinion():
    data = toy_dataset()
    silent = data.hide_users(np.ones(60, bool))
    model = fitted(silent, item_tags=0)
    assert np.isnan(model.scores(parity_queries(data, "tags"), "items")).all()


def test_memory_is_bounded_by_pairs_and_by_vocabularies():
    data = toy_dataset()
    assert 0 < TagFallback().memory(data) <= 24 * 12 * (40 + 12 + 40)
