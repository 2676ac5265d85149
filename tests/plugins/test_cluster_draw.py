"""Spherical k-means and its elbow; draws come from the cluster that most items of the query are in."""

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_word2vec.cluster_draw import ClusterDraw, ClusterDrawOptions
from hybridrec_word2vec.kmeans import elbow, farthest_from_chord, spherical_kmeans

pytest.importorskip("gensim")

VECTORS = {"dim": 8, "fields": ["items"], "epochs": 60, "algorithm": "skip-gram", "alpha": 0.025}


class TestClusterDraw(ComponentContract):
    component = ClusterDraw
    configs = ({"vectors": VECTORS, "clusters": 2}, {"vectors": VECTORS})


class TestClustersOfColours(ComponentContract):
    component = ClusterDraw
    configs = ({"vectors": VECTORS, "clusters": 2},)
    learns_the_checkerboard = ("items",)


def bundles(n, each, dim=30, seed=0):
    """n directions, and `each` points near every one of them, at length 1."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((dim, dim)))[0][:n]
    points = np.repeat(directions, each, axis=0) + rng.normal(0, 0.03, (n * each, dim))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_kmeans_parts_what_points_in_different_directions():
    points = bundles(2, 50)
    found = spherical_kmeans(points, 2, np.random.default_rng(0))
    assert len(set(found.labels[:50])) == len(set(found.labels[50:])) == 1
    assert found.labels[0] != found.labels[50]
    centre = points[:50].sum(axis=0) / np.linalg.norm(points[:50].sum(axis=0))
    rest = points[50:].sum(axis=0) / np.linalg.norm(points[50:].sum(axis=0))
    assert found.within == pytest.approx((1 - points[:50] @ centre).sum() + (1 - points[50:] @ rest).sum(), rel=1e-3)


def test_as_many_clusters_as_points_leave_nothing_within():
    points = bundles(5, 3)
    found = spherical_kmeans(points, 15, np.random.default_rng(0))
    assert len(np.unique(found.labels)) == 15
    assert found.within == pytest.approx(0, abs=1e-5)


def test_the_elbow_is_farthest_from_the_chord():
    sizes = np.array([10, 20, 30, 40, 50])
    assert farthest_from_chord(sizes, np.array([100.0, 30, 20, 10, 5])) == 1
    assert farthest_from_chord(sizes, np.array([100.0, 95, 20, 19, 18])) == 2
    assert farthest_from_chord(sizes[:1], np.array([3.0])) == 0


def test_the_elbow_lies_near_the_number_of_bundles():
    found, curve = elbow(bundles(60, 10, dim=80), np.random.default_rng(0))
    assert (curve.sizes[0], curve.sizes[-1]) == (10, 500)
    assert 50 <= len(np.unique(found.labels)) <= 130


def test_items_come_from_the_majority_cluster():
    data = toy_dataset()
    options = ClusterDrawOptions.model_validate({"vectors": VECTORS, "clusters": 4})
    model = ClusterDraw(options).fit(data, np.random.default_rng(0))
    queries = data.queries(np.arange(20, dtype=np.int32))
    drawn = ~np.isnan(model.scores(queries, "items"))
    for row in range(20):
        mine = model.labels[np.unique(queries.history.take(np.array([row])).ids)]
        majority = np.bincount(mine).argmax()
        assert (drawn[row] == (model.labels == majority)).all()


def test_vectors_of_anything_but_items_are_refused():
    with pytest.raises(ValidationError, match="must name `items`"):
        ClusterDrawOptions.model_validate({"vectors": {"fields": ["tags"]}})
