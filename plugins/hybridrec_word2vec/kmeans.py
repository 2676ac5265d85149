"""Spherical k-means, and the choice of the number of clusters at the elbow of the within-cluster curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Doubles, Floats, Ints, Longs

LEAST, MOST, STEPS = 10, 500, 25
PASSES = 300


class Clustering(NamedTuple):
    """Result of k-means.

    labels: int32[n], the cluster of each point
    within: the sum over all points of 1 - cosine with the centre of their cluster
    """

    labels: Ints
    within: float


class ElbowCurve(NamedTuple):
    """Within-cluster curve.

    sizes: int64, ascending numbers of clusters
    within: float64, parallel to `sizes`, the `within` of the clustering into so many clusters
    """

    sizes: Longs
    within: Doubles


def spherical_kmeans(points: Floats, k: int, rng: np.random.Generator, starts: int = 1) -> Clustering:
    """Cluster unit vectors, float32 [n, D] with n >= k, by cosine (Dhillon and Modha 2001).

    Returns the best result of `starts` starts, each from centres of k-means++ (Arthur and Vassilvitskii 2007) for
    cosines. Centres are scaled to length 1 in each pass; a cluster that has lost all points keeps its centre.
    """
    return _best(points, [spread(points, k, rng) for _ in range(starts)])


def elbow(points: Floats, rng: np.random.Generator, starts: int = 1) -> tuple[Clustering, ElbowCurve]:
    """Return the clustering at the elbow of the within-cluster curve from 10 to 500 clusters, and the curve.

    The elbow is the place of the curve that is farthest from its chord, with both axes scaled to [0, 1] (Satopää et
    al. 2011). With fewer than 500 points the curve ends at their number. Each value of the curve is the best result of
    `starts` starts. A start draws as many centres as the largest clustering needs; a clustering into k clusters starts
    from the first k of them.
    """
    ends = (min(LEAST, len(points)), min(MOST, len(points)))
    sizes = np.unique(np.linspace(*ends, STEPS).round().astype(np.int64))
    centres = [spread(points, ends[1], rng) for _ in range(starts)]
    clusterings = [_best(points, [start[:k] for start in centres]) for k in sizes]
    curve = ElbowCurve(sizes, np.array([clustering.within for clustering in clusterings]))
    return clusterings[farthest_from_chord(*curve)], curve


def spread(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Choose k of the points as initial centres by greedy k-means++: float32 [k, D].

    The distance of a point is 1 - cosine with its nearest centre. The first centre is drawn uniformly. For each further
    centre 2 + ln k points are drawn in proportion to their distances; the point that makes the sum of all distances
    smallest becomes the centre, as in scikit-learn.
    """
    trials = 2 + int(np.log(k))
    chosen = [int(rng.integers(len(points)))]
    away = _distances(points, np.array(chosen))[:, 0]
    for _ in range(k - 1):
        odds = np.cumsum(away)
        if odds[-1] <= 0:  # only duplicates of the centres are left
            chosen.append(int(rng.choice(np.setdiff1d(np.arange(len(points)), chosen))))
            continue
        drawn = np.minimum(np.searchsorted(odds, rng.random(trials) * odds[-1], side="right"), len(points) - 1)
        nearer = np.minimum(away[:, None], _distances(points, drawn))
        best = int(nearer.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        away = nearer[:, best]
    return points[chosen]


def _distances(points: Floats, chosen: Longs) -> Doubles:
    """Compute 1 - cosine of each point, float32 [n, D], and each point at `chosen`: float64 [n, len(chosen)].

    Values are never below 0, and exactly 0 for a point and itself.
    """
    distances = np.maximum(1 - (points @ points[chosen].T).astype(np.float64), 0)
    distances[chosen, np.arange(len(chosen))] = 0
    return distances


def _best(points: Floats, starts: Sequence[Floats]) -> Clustering:
    """Cluster from each of the initial centres, float32 [k, D], and return the clustering with the least `within`."""
    return min((converged(points, centres) for centres in starts), key=lambda clustering: clustering.within)


def converged(points: Floats, centres: Floats) -> Clustering:
    """Move centres to the means of their points, and points to the nearest centres, until no point moves.

    There are at most 300 passes.
    """
    labels = np.full(len(points), -1, np.int32)
    for _ in range(PASSES):
        nearest = (points @ centres.T).argmax(axis=1).astype(np.int32)
        if (nearest == labels).all():
            break
        labels = nearest
        members = csr_matrix(
            (np.ones(len(points), np.float32), labels, np.arange(len(points) + 1)), (len(points), len(centres))
        )
        sums = members.T @ points
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), centres)
    return Clustering(labels, float((1 - (points * centres[labels]).sum(axis=1, dtype=np.float64)).sum()))


def farthest_from_chord(x: Longs, y: Doubles) -> int:
    """Return the index of the point (x, y) of a curve that is farthest from the line through its two ends.

    Both axes are scaled to [0, 1] first.
    """
    along, drop = (x - x[0]) / max(x[-1] - x[0], 1), (y - y[0]) / ((y[-1] - y[0]) or 1)
    return int(np.abs(drop - along).argmax())
