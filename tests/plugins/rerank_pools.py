"""Helpers of the tests of re-rankers: fused pools of all shapes, and queries for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybridrec import PADDING, Pool
from hybridrec.testing import toy_dataset, toy_queries

DAY = 86_400.0
DATA = toy_dataset().with_entities("items", times=1e9 + DAY * np.where(np.arange(40) % 7, np.arange(40.0), np.nan))
QUERIES = toy_queries(DATA)
Q, K, N = len(QUERIES), 25, 40


def made(seed=0):
    """A fused pool in which rows have different lengths, one none, and some candidates no score."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, K + 1, Q)
    lengths[0], lengths[1] = 0, K
    ids = np.sort(np.argsort(rng.random((Q, N)), axis=1)[:, :K], axis=1).astype(np.int32)
    ids[np.arange(K) >= lengths[:, None]] = PADDING
    final = rng.standard_normal((Q, K)).astype(np.float32)
    final[rng.random((Q, K)) < 0.05] = np.nan
    sources = np.where(ids >= 0, rng.integers(1, 4, (Q, K)), 0).astype(np.uint64)
    return Pool("items", ids, ("g", "h"), sources, {"a": final, "b": final}).ranked(final)


class Lent:
    """A component with these item vectors."""

    def __init__(self, vectors):
        self._vectors = vectors

    def vectors(self, target):
        return self._vectors


def fitted(cls, data=DATA, vectors=None, **options):
    """The re-ranker, fitted; with `uses` it is handed these vectors first."""
    made = cls(cls.Config(**options))
    if vectors is not None:
        made.use(Lent(vectors))
    return made.fit(data, np.random.default_rng(0))


def rows(pool, which):
    """Some queries of a pool."""
    columns = {label: values[which] for label, values in pool.columns.items()}
    return replace(pool, ids=pool.ids[which], sources=pool.sources[which], columns=columns, final=pool.final[which])
