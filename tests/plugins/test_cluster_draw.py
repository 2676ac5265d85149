"""Spherical k-means and its elbow; draws come from the cluster that most items of the query are in."""

import numpy as np
import pytest

from hybridrec import DataError, Query
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec.testing.base_models import ToyVectors
from hybridrec_word2vec import kmeans
from hybridrec_word2vec.cluster_draw import MEMBERS, ClusterDraw, ClusterDrawOptions
from hybridrec_word2vec.embedding import Word2Vec
from hybridrec_word2vec.kmeans import elbow, farthest_from_chord, spherical_kmeans

pytest.importorskip("gensim")

VECTORS = {"dim": 8, "fields": ["items"], "epochs": 20, "algorithm": "skip-gram", "alpha": 0.025}


class TestClusterDraw(ComponentContract):
    component = ClusterDraw
    base_model, base_options = Word2Vec, VECTORS
    configs = ({"uses": "w2v", "clusters": 2}, {"uses": "w2v", "starts": 2, "count_repeats": True})


class TestClustersOfColours(ComponentContract):
    component = ClusterDraw
    base_model, base_options = Word2Vec, VECTORS
    configs = ({"uses": "w2v", "clusters": 2},)
    learns_the_checkerboard = ("items",)


class TestClustersOfAnyVectors(ComponentContract):
    component = ClusterDraw
    configs = ({"uses": "vectors", "clusters": 2},)
    learns_the_checkerboard = ("items",)


def fitted(data, model, **options):
    return ClusterDraw(ClusterDrawOptions(uses="vectors", **options)).use(model).fit(data, np.random.default_rng(0))


def on_toys(**options):
    data = toy_dataset()
    return fitted(data, toy_vectors(data), **options)


def toy_vectors(data):
    return ToyVectors().fit(data, np.random.default_rng(0))


def bundles(n, each, dim=30, seed=0):
    """n directions, and `each` points near every one of them, at length 1."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((dim, dim)))[0][:n]
    points = np.repeat(directions, each, axis=0) + rng.normal(0, 0.03, (n * each, dim))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_kmeans_parts_what_points_in_different_directions():
    points = bundles(2, 50)
    fit = spherical_kmeans(points, 2, np.random.default_rng(0))
    assert len(set(fit.labels[:50])) == len(set(fit.labels[50:])) == 1
    assert fit.labels[0] != fit.labels[50]
    centre = points[:50].sum(axis=0) / np.linalg.norm(points[:50].sum(axis=0))
    rest = points[50:].sum(axis=0) / np.linalg.norm(points[50:].sum(axis=0))
    assert fit.within == pytest.approx((1 - points[:50] @ centre).sum() + (1 - points[50:] @ rest).sum(), rel=1e-3)


def test_as_many_clusters_as_points_leave_nothing_within():
    points = bundles(5, 3)
    clustering = spherical_kmeans(points, 15, np.random.default_rng(0))
    assert len(np.unique(clustering.labels)) == 15
    assert clustering.within == pytest.approx(0, abs=1e-5)


def test_the_elbow_is_farthest_from_the_chord():
    sizes = np.array([10, 20, 30, 40, 50])
    assert farthest_from_chord(sizes, np.array([100.0, 30, 20, 10, 5])) == 1
    assert farthest_from_chord(sizes, np.array([100.0, 95, 20, 19, 18])) == 2
    assert farthest_from_chord(sizes[:1], np.array([3.0])) == 0


def test_the_elbow_lies_near_the_number_of_bundles():
    clustering, curve = elbow(bundles(60, 10, dim=80), np.random.default_rng(0))
    assert (curve.sizes[0], curve.sizes[-1]) == (10, 500)
    assert 50 <= len(np.unique(clustering.labels)) <= 130


def test_the_best_of_several_starts_counts_and_depends_on_the_seed_alone():
    points = bundles(40, 4, dim=60)
    within = [spherical_kmeans(points, 25, np.random.default_rng(seed)).within for seed in range(6)]
    assert len(set(within)) > 1
    rng = np.random.default_rng(7)
    alone = [spherical_kmeans(points, 25, rng).within for _ in range(3)]
    assert spherical_kmeans(points, 25, np.random.default_rng(7), 3).within == min(alone)


def test_centres_that_lie_apart_are_better_than_random_ones():
    points = bundles(40, 4, dim=60)
    spread = [spherical_kmeans(points, 40, np.random.default_rng(seed)).within for seed in range(10)]
    random = []
    for seed in range(10):
        centres = points[np.random.default_rng(seed).choice(len(points), 40, replace=False)]
        random.append(kmeans.converged(points, centres).within)
    assert max(spread) < 0.5 * np.mean(random)


def test_duplicates_are_centres_where_nothing_else_is_left():
    points = np.repeat(bundles(3, 1), 4, axis=0)
    clustering = spherical_kmeans(points, 7, np.random.default_rng(0))
    assert clustering.within == pytest.approx(0, abs=1e-5)
    assert len({tuple(row) for row in points[clustering.labels == clustering.labels[0]]}) == 1


def test_items_come_from_the_majority_cluster():
    data = toy_dataset()
    model = fitted(data, toy_vectors(data), clusters=4)
    queries = data.queries(np.arange(20, dtype=np.int32))
    drawn = ~np.isnan(model.scores(queries, "items"))
    for row in range(20):
        mine = model.labels[np.unique(queries.history.take(np.array([row])).ids)]
        majority = np.bincount(mine).argmax()
        assert (drawn[row] == (model.labels == majority)).all()


def test_repeats_count_where_they_are_asked_to():
    data = toy_dataset()
    once, often = (fitted(data, toy_vectors(data), clusters=2, count_repeats=repeats) for repeats in (False, True))
    first = np.flatnonzero(once.labels == once.labels[0])
    others = np.flatnonzero((once.labels != once.labels[0]) & (once.labels >= 0))
    items = [f"item {code:02}" for code in (*first[:2], others[0], others[0], others[0])]
    query = encode([Query(items=items)], data)
    assert set(np.flatnonzero(~np.isnan(once.scores(query, "items")[0]))) == set(first)
    assert set(np.flatnonzero(~np.isnan(often.scores(query, "items")[0]))) == set(others)


def test_vectors_of_anything_but_items_are_refused():
    data = toy_dataset()
    model = Word2Vec(Word2Vec.Config(fields=("tags",), dim=4, epochs=1)).fit(data, np.random.default_rng(0))
    with pytest.raises(DataError, match="'vectors' has no vectors of items"):
        fitted(data, model)


def test_the_report_shows_the_curve_with_the_chosen_number_and_all_clusters():
    data, model = toy_dataset(), on_toys()
    curve, table = model.figures(data)
    assert [point[0] for point in curve.points] == model.curve.sizes.tolist()
    assert [point[1] for point in curve.points] == model.curve.within.tolist()
    assert curve.points[curve.chosen][0] >= len(table.rows) == len(np.unique(model.labels[model.labels >= 0]))
    sizes = [size for _, size, _ in table.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == np.count_nonzero(model.labels >= 0)
    names, users = data.items.names(), data.user_matrix("items").getnnz(axis=0)
    for cluster, size, members in table.rows:
        mine = np.flatnonzero(model.labels == cluster)
        assert size == len(mine)
        first = members.split(" · ")
        assert len(first) == min(size, MEMBERS)
        assert first == [names[item] for item in mine[np.argsort(-users[mine], kind="stable")][:MEMBERS]]


def test_a_number_that_was_given_has_no_curve():
    model = on_toys(clusters=4)
    (table,) = model.figures(toy_dataset())
    assert table.title == "Clusters"
    assert f"{len(table.rows)} clusters of " in table.note
    assert model.clusters("items") is model.labels
    assert model.clusters("tags") is None


def test_items_without_a_vector_are_counted():
    model = on_toys(clusters=2)
    model.labels = np.where(np.arange(len(model.labels)) < 3, -1, model.labels).astype(np.int32)
    (table,) = model.figures(toy_dataset())
    assert table.note.endswith("; items without a vector: 4.")
    assert sum(size for _, size, _ in table.rows) == len(model.labels) - 4
    model.labels = np.full(len(model.labels), -1, np.int32)
    assert model.figures(toy_dataset()) == []
