"""Spherical k-means, and the number of clusters by the elbow of the within-cluster curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Doubles, Floats, Ints, Longs

LEAST, MOST, STEPS = 10, 500, 25
PASSES = 50


class Clustering(NamedTuple):
    """Result of k-means: labels, int32[n], the cluster of each point; within, the sum of 1 - cosine with its centre."""

    labels: Ints
    within: float


class ElbowCurve(NamedTuple):
    """Within-cluster curve: within, float64, parallel to the numbers of clusters `sizes`, int64, ascending."""

    sizes: Longs
    within: Doubles


def spherical_kmeans(points: Floats, k: int, rng: np.random.Generator) -> Clustering:
    """Cluster unit vectors, float32 [n, D] with n >= k, by cosine (Dhillon and Modha 2001).

    Centres start at points drawn at random and are scaled to length 1 in each pass; a cluster that has lost all
    points keeps its centre.
    """
    centres = points[rng.choice(len(points), k, replace=False)]
    labels = np.full(len(points), -1, np.int32)
    for _ in range(PASSES):
        cosines = points @ centres.T
        nearest = cosines.argmax(axis=1).astype(np.int32)
        if (nearest == labels).all():
            break
        labels = nearest
        members = csr_matrix((np.ones(len(points), np.float32), labels, np.arange(len(points) + 1)), (len(points), k))
        sums = members.T @ points
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), centres)
    return Clustering(labels, float((1 - (points * centres[labels]).sum(axis=1, dtype=np.float64)).sum()))


def elbow(points: Floats, rng: np.random.Generator) -> tuple[Clustering, ElbowCurve]:
    """Return the clustering at the point of the curve from 10 to 500 clusters that is farthest from its chord.

    Both axes are scaled to [0, 1] (Satopää et al. 2011). Fewer points than 500 end the curve earlier.
    """
    ends = (min(LEAST, len(points)), min(MOST, len(points)))
    sizes = np.unique(np.linspace(*ends, STEPS).round().astype(np.int64))
    clusterings = [spherical_kmeans(points, int(k), rng) for k in sizes]
    curve = ElbowCurve(sizes, np.array([clustering.within for clustering in clusterings]))
    return clusterings[farthest_from_chord(*curve)], curve


def farthest_from_chord(x: Longs, y: Doubles) -> int:
    """Find the place of the point farthest from the line between the first and the last."""
    along, drop = (x - x[0]) / max(x[-1] - x[0], 1), (y - y[0]) / ((y[-1] - y[0]) or 1)
    return int(np.abs(drop - along).argmax())
