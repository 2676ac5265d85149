"""Clustering of the seeds (weighted tokens) of many queries at once, and interleaving of the clusters' rankings."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Floats, Ints, Sparse, kernels

ROUNDS = 10
"""Number of passes of k-means; the few seeds of a query converge in fewer."""


def cluster(seeds: Sparse, units: Floats, k: int) -> Floats:
    """Cluster each query's seeds, its tokens with a weight, by spherical k-means (Dhillon and Modha 2001).

    seeds: csr float32 [Q, tokens], the weight of each seed
    units: float32 [tokens, dim], the vectors of the tokens, rows of length 1

    Returns the directions of the centres, float32 [Q, k, dim], the cluster with the largest sum of weights first.
    Queries with fewer than k clusters have rows of NaN. The first centre is the seed that is farthest from the mean;
    each further centre is the seed that is farthest from the previous centres. So nothing is random.
    """
    rows, vectors = kernels.csr_rows(seeds), units[seeds.indices]
    centres = _farthest(rows, vectors, seeds, k)
    for _ in range(ROUNDS):
        nearest = _nearest(rows, vectors, centres)
        weight, centres = _means(rows, nearest, vectors, seeds, k)
    order = np.argsort(-weight, axis=1, kind="stable")
    return np.take_along_axis(centres, order[:, :, None], axis=1)


def interleaved(scores: Floats, asked: Sparse) -> Floats:
    """Interleave the rankings of a query's k clusters, and return 1 over the place of each id: float32 [Q, N].

    scores: float32 [Q, k, N], the scores of each cluster; rows of NaN for missing clusters
    asked: csr [Q, N], the ids that the query itself has; they get places in a list of their own, so that they do not
        move other ids down

    Ids on which no cluster has an opinion get NaN.
    """
    queries, k, n = scores.shape
    flat = scores.reshape(queries * k, n)
    order = kernels.order(flat)
    fresh = np.ones((queries, n), bool)
    fresh[kernels.csr_rows(asked), asked.indices] = False
    taken = np.take_along_axis(np.repeat(fresh, k, axis=0), order, axis=1)
    # The place is counted separately among the query's own ids and among all others.
    places = np.where(taken, np.cumsum(taken, axis=1), np.cumsum(~taken, axis=1)) - 1
    turns = np.empty((queries * k, n), np.float32)
    np.put_along_axis(turns, order, places.astype(np.float32), axis=1)
    turns = turns.reshape(queries, k, n) * k + np.arange(k, dtype=np.float32)[:, None]
    turns[np.isnan(scores)] = np.nan
    return np.float32(1) / (1 + np.fmin.reduce(turns, axis=1))


def _farthest(rows: Ints, vectors: Floats, seeds: Sparse, k: int) -> Floats:
    """Choose the initial centres of k-means as `cluster` says: float32 [Q, k, dim], NaN for missing centres.

    rows: int32 [S], the row of each seed's query
    vectors: float32 [S, dim], the vector of each seed, of length 1
    seeds: csr float32 [Q, tokens], the weights of these S seeds
    """
    _, centres = _means(rows, np.zeros_like(rows), vectors, seeds, k)
    starts = seeds.indptr[:-1]
    asking = np.flatnonzero(np.diff(seeds.indptr))
    for place in range(k):
        near = np.fmax.reduce(_cosines(rows, vectors, centres), axis=1)
        farthest = np.lexsort((near, rows))[starts[asking]]
        new = (near[farthest] < 1 - 1e-5) | (place == 0)
        centres[asking[new], place] = vectors[farthest[new]]
    return centres


def _nearest(rows: Ints, vectors: Floats, centres: Floats) -> Ints:
    """Return for each seed the number of the nearest among the centres of its query: int32 [S].

    The arguments are those of `_cosines`.
    """
    return np.nan_to_num(_cosines(rows, vectors, centres), nan=-2.0).argmax(axis=1).astype(np.int32)


def _cosines(rows: Ints, vectors: Floats, centres: Floats) -> Floats:
    """Compute the cosines of each seed with the k centres of its query: float32 [S, k], NaN for missing centres.

    rows: int32 [S], the row of each seed's query
    vectors: float32 [S, dim], the vector of each seed, of length 1
    centres: float32 [Q, k, dim]
    """
    places = range(centres.shape[1])
    return np.stack([np.einsum("sd,sd->s", vectors, centres[rows, place]) for place in places], axis=1)


def _means(rows: Ints, nearest: Ints, vectors: Floats, seeds: Sparse, k: int) -> tuple[Floats, Floats]:
    """Compute the weight, float32 [Q, k], and the direction, float32 [Q, k, dim], of each cluster of each query.

    The weight is the sum of the weights of its seeds, and the direction is that of the weighted sum of their vectors.
    `rows` and `vectors` are as for `_cosines`; `nearest`, int32 [S], is the cluster of each seed. A cluster without
    seeds has weight 0 and direction NaN.
    """
    queries = seeds.shape[0]
    member = csr_matrix((seeds.data, (rows * k + nearest, np.arange(len(rows)))), shape=(queries * k, len(rows)))
    sums = np.asarray(member @ vectors, np.float32)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    weight = np.asarray(member.sum(axis=1), np.float32)
    centres = np.divide(sums, length, out=np.full_like(sums, np.nan), where=length > 0)
    return weight.reshape(queries, k), centres.reshape(queries, k, vectors.shape[1])
