"""Votes, clusters and playlists in the space of word2vec keep the contract, and do what they say."""

from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from hybridrec import ConfigError, Exclude, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_word2vec.clusters import cluster, interleaved
from hybridrec_word2vec.embedding import Word2Vec
from hybridrec_word2vec.retrieval import Clusters, Mean, Playlists, Voting, shares

pytest.importorskip("gensim")


ALL_FIELDS = {"dim": 8, "fields": ["items", "tags", "title", "features"]}
WITH_USERS = {"dim": 8, "fields": ["user", "items", "tags", "title"]}
COSINE = {"dim": 8, "epochs": 20, "score": "cosine", "algorithm": "skip-gram", "average": "fields"}


class TestMean(ComponentContract):
    component = Mean
    base_model, base_options = Word2Vec, {"dim": 8}
    configs = ({"uses": "w2v"}, {"uses": "w2v", "context": 2, "weights": {"tags": 0.5}, "average": "fields"})
    learns_the_checkerboard = ("items", "tags", "title")


class TestMeanByCosine(ComponentContract):
    component = Mean
    base_model, base_options = Word2Vec, {"dim": 8, "context": 3, "algorithm": "skip-gram", "alpha": 0.1}
    configs = ({"uses": "w2v", "score": "cosine", "context": "all"},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestVoting(ComponentContract):
    component = Voting
    base_model, base_options = Word2Vec, ALL_FIELDS
    configs = ({"uses": "w2v", "neighbours": 10},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestVotingByCosine(ComponentContract):
    component = Voting
    base_model, base_options = Word2Vec, COSINE
    configs = ({"uses": "w2v"},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestClusters(ComponentContract):
    component = Clusters
    base_model, base_options = Word2Vec, {"dim": 8}
    configs = ({"uses": "w2v"},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestClustersByCosine(ComponentContract):
    component = Clusters
    base_model, base_options = Word2Vec, COSINE
    configs = ({"uses": "w2v", "clusters": 1, "average": "tokens"},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestPlaylists(ComponentContract):
    component = Playlists
    base_model, base_options = Word2Vec, {"dim": 8}
    configs = ({"uses": "w2v"},)
    learns_the_checkerboard = ("items", "tags", "title")


class TestPlaylistsWithUsers(ComponentContract):
    component = Playlists
    base_model, base_options = Word2Vec, WITH_USERS
    configs = ({"uses": "w2v", "neighbours": 5, "power": 1},)
    learns_the_checkerboard = ("items", "tags", "title")


WAYS = (Mean, Voting, Clusters, Playlists)


def trained(**options):
    data = toy_dataset()
    return data, Word2Vec(Word2Vec.Config(dim=8, epochs=5, **options)).fit(data, np.random.default_rng(0))


def asking(cls, model, data, **options):
    """A way of asking the space of this model."""
    return cls(cls.Config(uses="w2v", **options)).use(model).fit(data, np.random.default_rng(9))


def test_the_mean_of_a_lent_space_is_that_of_its_own_component():
    """Options that are left out are those of the component that is used; those that are given replace them."""
    data, model = trained(average="fields", weights={"title": 0.5}, context=2)
    queries = data.queries(np.arange(len(data.users), dtype=np.int32))
    for changes in ({}, {"score": "cosine"}, {"context": 4, "average": "tokens"}, {"weights": {"tags": 3.0}}):
        own = Word2Vec(model.config.model_copy(update=changes)).restore(model.state())
        lent = asking(Mean, model, data, **changes)
        for target in ("items", "tags"):
            np.testing.assert_array_equal(lent.query_vectors(queries, target), own.query_vectors(queries, target))
            np.testing.assert_array_equal(lent.vectors(target), own.vectors(target))


@pytest.mark.parametrize("options", [{"similarity": "cosine"}, {"similarity": "euclidean"}, {"norm_exponent": 0.5}])
def test_the_mean_compares_by_a_similarity_of_its_own(options):
    """It is that of `word2vec` with the same options, and what the lender has does not reach it."""
    data, model = trained(norm_exponent=0.25)
    queries = data.queries(np.arange(len(data.users), dtype=np.int32))
    own = Word2Vec(Word2Vec.Config(dim=8, epochs=5, **options)).restore(model.state())
    plain = Word2Vec(Word2Vec.Config(dim=8, epochs=5)).restore(model.state())
    for changes, alike in ((options, own), ({}, plain)):
        lent = asking(Mean, model, data, **changes)
        np.testing.assert_array_equal(lent.query_vectors(queries, "items"), alike.query_vectors(queries, "items"))
        np.testing.assert_array_equal(lent.vectors("items"), alike.vectors("items"))
        assert lent.vectors("items") is lent.vectors("items"), "the same array in every call"


def test_other_ways_ask_the_space_as_it_was_trained():
    """Votes and clusters are of what training predicts, whatever the similarity of the component that is asked."""
    data, model = trained(norm_exponent=0)
    plain = Word2Vec(Word2Vec.Config(dim=8, epochs=5)).restore(model.state())
    queries = data.queries(np.arange(len(data.users), dtype=np.int32))
    for cls in (Voting, Clusters, Playlists):
        ways = [asking(cls, lender, data).scores(queries, "items") for lender in (model, plain)]
        np.testing.assert_array_equal(*ways)


def test_a_similarity_beside_the_cosine_is_refused():
    with pytest.raises(ValidationError, match="norm_exponent need score: input-output"):
        Mean.Config(uses="w2v", score="cosine", similarity="euclidean")
    data, model = trained(score="cosine")
    with pytest.raises(ConfigError, match="'w2v' has score: cosine; similarity"):
        asking(Mean, model, data, norm_exponent=0.5)


def test_no_way_of_asking_draws_a_number_or_copies_the_space():
    data, model = trained()
    for cls in WAYS:
        way = asking(cls, model, data)
        state = way.state()
        assert not {"inputs", "outputs.items"} & state.keys()
        again = cls(way.config).use(model).fit(data, np.random.default_rng(1)).state()
        assert all(np.array_equal(array, again[name], equal_nan=True) for name, array in state.items())
        assert way.encoder.trained is model.encoder.trained


def test_what_a_way_serves_is_what_its_space_serves():
    _, model = trained(fields=("items", "title"))
    way = Voting(Voting.Config(uses="w2v")).use(model)
    assert (way.targets, way.needs, way.folds_in) == (("items",), {"items", "title"}, True)


def test_options_of_training_are_those_of_the_space():
    with pytest.raises(ValidationError, match="dim"):
        Voting.Config.model_validate({"uses": "w2v", "dim": 8})
    with pytest.raises(ValidationError, match="uses"):
        Voting.Config.model_validate({})


def test_a_vote_is_the_mean_of_what_each_seed_predicts():
    data, model = trained()
    query = encode([Query(items=["item 02", "item 05"])], data)
    items = model.encoder.trained.inputs_of("items")
    expected = shares(items[[2, 5]] @ model.vectors("items").T)
    assert np.nansum(expected, axis=1) == pytest.approx([1, 1])
    voting = asking(Voting, model, data, neighbours=100)
    np.testing.assert_allclose(voting.scores(query, "items")[0], expected.mean(axis=0), rtol=1e-4)


def test_a_seed_votes_for_its_nearest_only():
    data, model = trained()
    query = encode([Query(items=["item 02"])], data)
    ids = asking(Voting, model, data, neighbours=3).candidates(query, 10, "tags", Exclude()).ids
    assert (ids != -1).sum() == 3


def test_fields_of_a_query_weigh_alike_however_many_tokens_they_have():
    data, model = trained(average="fields")
    query = encode([Query(items=["item 02", "item 04", "item 06"], tags=["tag 02"])], data)
    by_field, by_token = model.encoder, asking(Voting, model, data, average="tokens").encoder
    items = by_field.trained.space.range_of("items")
    assert by_field.seeds(query)[:, items].sum() == pytest.approx(1 / 2)
    assert by_token.seeds(query)[:, items].sum() == pytest.approx(3 / 4)


def test_seeds_of_two_directions_are_two_clusters_the_heavier_first():
    units = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [0, 1], [0, 1]], np.float32)
    seeds = csr_matrix(np.array([[1, 0, 0, 1, 1, 1], [0, 1, 0, 0, 0, 0], [0] * 6], np.float32))
    clusters = cluster(seeds, units, 3)
    np.testing.assert_allclose(clusters[0, :2], [[0, 1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(clusters[1, 0], units[1], atol=1e-6)
    assert np.isnan(clusters[0, 2]).all()
    assert np.isnan(clusters[1, 1:]).all()
    assert np.isnan(clusters[2]).all()


def test_clusters_are_near_the_best_of_all_partitions():
    rng, shares_reached = np.random.default_rng(4), []
    for _ in range(20):
        units = rng.normal(size=(7, 3)).astype(np.float32)
        units /= np.linalg.norm(units, axis=1, keepdims=True)
        clusters = cluster(csr_matrix(np.ones((1, 7), np.float32)), units, 2)[0]
        parts = (np.array(bits) for bits in product((0, 1), repeat=7))
        best = max(sum(np.linalg.norm(units[sides == side].sum(axis=0)) for side in (0, 1)) for sides in parts)
        shares_reached.append((units @ clusters.T).max(axis=1).sum() / best)
    assert np.mean(shares_reached) > 0.95


def test_clusters_take_turns_and_what_was_asked_takes_no_turn():
    scores = np.array([[[9, 8, 7, 6, 5], [1, 9, 2, 3, 8]]], np.float32)
    asked = csr_matrix(np.array([[1, 0, 0, 0, 0]], np.float32))
    # Without item 0: 1 2 3 4 and 1 4 3 2, in turn 1 (1) 2 4 3.
    places = 1 / interleaved(scores, asked)[0] - 1
    np.testing.assert_allclose(places[1:], [0, 2, 4, 3], atol=1e-5)
    nobody = interleaved(np.full((1, 2, 5), np.nan, np.float32), asked)
    assert np.isnan(nobody).all()


def test_playlists_vote_with_what_they_have():
    data, space = trained()
    model = asking(Playlists, space, data, neighbours=1)
    users = np.array([4, 11])
    queries = data.queries(users.astype(np.int32))
    for target, has in (("items", data.interactions.matrix(binary=True)), ("tags", data.user_matrix("tags"))):
        scores = model.scores(queries, target)
        for row, user in enumerate(users):
            np.testing.assert_array_equal(np.flatnonzero(~np.isnan(scores[row])), np.sort(has[user].indices))
