"""Votes, clusters and playlists in the space of word2vec keep the contract, and do what they say."""

from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Exclude, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_word2vec.clusters import cluster, interleaved
from hybridrec_word2vec.retrieval import Clusters, Playlists, Voting, shares

pytest.importorskip("gensim")


class TestVoting(ComponentContract):
    component = Voting
    configs = (
        {"dim": 8, "neighbours": 10, "fields": ["items", "tags", "title", "features"]},
        {"dim": 8, "epochs": 20, "score": "cosine", "algorithm": "skip-gram", "average": "fields"},
    )
    learns_the_checkerboard = ("items", "tags", "title")


class TestClusters(ComponentContract):
    component = Clusters
    configs = ({"dim": 8}, {"dim": 8, "epochs": 20, "clusters": 1, "score": "cosine", "algorithm": "skip-gram"})
    learns_the_checkerboard = ("items", "tags", "title")


class TestPlaylists(ComponentContract):
    component = Playlists
    configs = ({"dim": 8}, {"dim": 8, "fields": ["user", "items", "tags", "title"], "neighbours": 5, "power": 1})
    learns_the_checkerboard = ("items", "tags", "title")


def trained(cls, **options):
    data = toy_dataset()
    return data, cls(cls.Config(dim=8, epochs=5, **options)).fit(data, np.random.default_rng(0))


def test_a_vote_is_the_mean_of_what_each_seed_predicts():
    data, model = trained(Voting, neighbours=100)
    query = encode([Query(items=["item 02", "item 05"])], data)
    items = model._embedding[model._space.range_of("items")]
    expected = shares(items[[2, 5]] @ model.vectors("items").T)
    assert np.nansum(expected, axis=1) == pytest.approx([1, 1])
    np.testing.assert_allclose(model.scores(query, "items")[0], expected.mean(axis=0), rtol=1e-4)


def test_a_seed_votes_for_its_nearest_only():
    data, model = trained(Voting, neighbours=3)
    ids = model.candidates(encode([Query(items=["item 02"])], data), 10, "tags", Exclude()).ids
    assert (ids != -1).sum() == 3


def test_fields_of_a_query_weigh_alike_however_many_tokens_they_have():
    data, model = trained(Voting, average="fields")
    _, by_token = trained(Voting)
    query = encode([Query(items=["item 02", "item 04", "item 06"], tags=["tag 02"])], data)
    items = model._space.range_of("items")
    assert model.seeds(query)[:, items].sum() == pytest.approx(1 / 2)
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
    data, model = trained(Playlists, neighbours=1)
    users = np.array([4, 11])
    queries = data.queries(users.astype(np.int32))
    for target, has in (("items", data.interactions.matrix(binary=True)), ("tags", data.user_matrix("tags"))):
        scores = model.scores(queries, target)
        for row, user in enumerate(users):
            np.testing.assert_array_equal(np.flatnonzero(~np.isnan(scores[row])), np.sort(has[user].indices))
