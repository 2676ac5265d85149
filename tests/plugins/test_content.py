"""Content similarity: cosines as by hand, cold items, query tags; and the contract."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

import hybridrec_content
from hybridrec import DataError, Features, Query
from hybridrec.testing import ComponentContract, encode, parity_queries, toy_dataset
from hybridrec_content.content import Content, ContentOptions

RNG = np.random.default_rng(0)


class TestContentContract(ComponentContract):
    component = Content
    configs = [
        {},
        {"text": 0, "idf": 0},
        {"features": 0, "tags": 0, "text": 0, "vectors": 1},
        {"query_text": 0},
        {"tokenizer": {"use": "char-ngrams"}, "query_text": 3},
    ]
    learns_the_checkerboard = ("items", "title")


class TestContentWithQueryTagsContract(ComponentContract):
    component = Content
    configs = [{"query_tags": 1}]
    learns_the_checkerboard = ("items", "tags")


def test_what_the_package_offers():
    offered = [component.name for component in hybridrec_content.hybridrec_components()]
    assert offered == ["content", "content-popularity", "content-transfer", "content-vectors"]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_cosine_is_the_mean_of_the_cosines_per_kind_weighted_by_their_shares():
    data = toy_dataset()
    queries = parity_queries(data, "items")
    features, tags = data.items.features.matrix.toarray(), np.log1p(data.item_matrix("tags").toarray())
    both = tags.any(axis=1)
    f, t = (unit(x * np.log(40 / (x > 0).sum(axis=0))) for x in (features, np.where(tags.any(1)[:, None], tags, 1)))
    model = Content(ContentOptions(features=3, tags=1, text=0)).fit(data, RNG)
    profile_of_one = replace(queries, history=queries.history.last(1))
    item = profile_of_one.history.ids[0]
    assert both[item], "the cosines below are of items with both kinds"
    wanted = (3 * f @ f[item] + t @ t[item]) / 4
    np.testing.assert_allclose(model.scores(profile_of_one, "items")[0, both], wanted[both], rtol=1e-5)


def test_a_typed_text_is_like_an_item_of_its_words():
    data = toy_dataset()
    model = Content(ContentOptions(features=0, tags=0, query_text=0.5)).fit(data, RNG)
    typed = encode([Query(text="song EVEN"), Query(text="nobody sings"), Query(items=["item 03"], text="even")], data)
    scores = model.scores(typed, "items")
    assert np.isnan(scores[1]).all()
    own = model.scores(encode([Query(items=["item 03"])], data), "items")
    assert (scores[0, ::2] > scores[0, 1::2].max()).all()
    assert (scores[2, ::2] > own[0, ::2]).all()
    assert scores[2, 3] < own[0, 3]
    by_text = model.scores(encode([Query(text=data.items.text[3])], data), "items")
    np.testing.assert_allclose(by_text[0], own[0], rtol=1e-5)


def test_texts_are_not_read_without_a_share_or_a_weight():
    assert Content(ContentOptions(text=0)).needs == Content(ContentOptions(query_text=0)).needs == {"items"}
    assert Content(ContentOptions(query_tags=1)).needs == {"items", "tags", "title"}


def test_cold_items_are_found_like_others():
    data = toy_dataset()
    score = Content().fit(data, RNG).scores(parity_queries(data, "items"), "items")[:, 39]
    assert score[1] > score[0], "item 39 is odd"


def test_items_without_content_get_no_opinion():
    data = toy_dataset()
    matrix = data.items.features.matrix.copy()
    matrix.data[matrix.indptr[4] : matrix.indptr[5]] = 0
    data = data.with_entities("items", features=Features.of_labels(data.items.features.names, matrix))
    model = Content(ContentOptions(tags=0, text=0)).fit(data, RNG)
    silent = np.isnan(model.scores(parity_queries(data, "items"), "items"))
    assert np.flatnonzero(silent.all(axis=0)).tolist() == [4]
    assert silent.sum() == 2


def test_words_of_few_items_connect_nothing():
    data = toy_dataset()
    data = data.with_entities("items", text=("alone", *data.items.text[1:]))
    scores = [
        Content(ContentOptions(features=0, tags=0, min_items=n))
        .fit(data, RNG)
        .scores(parity_queries(data, "items"), "items")
        for n in (1, 2)
    ]
    assert [bool(np.isnan(scored[:, 0]).any()) for scored in scores] == [False, True]


def test_query_tags_count_beside_the_history():
    data = toy_dataset()
    both = replace(
        parity_queries(data, "items"), entities={"tags": parity_queries(data, "tags").entities["tags"][::-1]}
    )
    even = np.arange(40) % 2 == 0
    weak, strong = (Content(ContentOptions(query_tags=w)).fit(data, RNG).scores(both, "items")[0] for w in (0.01, 100))
    assert weak[even].mean() > weak[~even].mean()
    assert strong[even].mean() < strong[~even].mean(), "the tags of the first query are odd"


def test_without_content_it_says_so():
    data = toy_dataset().with_entities("items", features=None)
    with pytest.raises(DataError, match="features, tags, text"):
        Content(ContentOptions(tags=0, text=0)).fit(data, RNG)


@pytest.mark.parametrize("options", [{"features": 0, "tags": 0, "text": 0}, {"tags": 0, "query_tags": 1}])
def test_options_that_compare_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        ContentOptions(**options)
