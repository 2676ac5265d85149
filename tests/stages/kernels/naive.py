"""References for the kernels: scores that are hard to rank, and the plainest ranking of them."""

import math

import numpy as np

NAN, INF = np.nan, np.inf


def rounded(seed, queries, n, decimals=1):
    """Scores with many ties, some -inf, NaN and both zeros, among them rows of nothing else."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((queries, n)).round(decimals).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = -INF
    scores[rng.random(scores.shape) < 0.1] = NAN
    scores[rng.random(scores.shape) < 0.1] = -0.0
    scores[:1], scores[1:2], scores[2:3] = NAN, -INF, 0.5
    return scores


def naive_order(row):
    return sorted(range(len(row)), key=lambda j: (math.isnan(row[j]), -row[j] if row[j] == row[j] else 0, j))


def naive_top_k(scores, k):
    ids, values = np.full((len(scores), k), -1, np.int32), np.full((len(scores), k), NAN, np.float32)
    for q, row in enumerate(scores.tolist()):
        chosen = [j for j in naive_order(row) if row[j] > -INF][:k]
        ids[q, : len(chosen)] = chosen
        values[q, : len(chosen)] = [row[j] for j in chosen]
    return ids, values
