"""Pipelines of components whose answers are written down, and pools and slates from plain lists."""

import numpy as np

from hybridrec import Candidates, Exclude, Generator, Pool, Query, Reranker, Scorer, Slate, kernels
from hybridrec.data.encoding import encode
from hybridrec.stages.pipeline import Filters, Pipeline, Source
from hybridrec.stages.query_filters import DislikedFilter, SeenFilter
from hybridrec.testing import toy_dataset

N = 12
DATA = toy_dataset(users=6, items=N, tags=5)
ITEMS, TAGS, USERS = (DATA.vocabulary(kind).ids.to_list() for kind in ("items", "tags", "users"))
QUERIES = encode(
    [
        Query(user=USERS[0], items=ITEMS[0:2], tags=TAGS[:1]),
        Query(items=ITEMS[2:4], disliked=ITEMS[11:]),
        Query(tags=TAGS[1:3]),
        Query(text="title alone"),
        Query(),
    ],
    DATA,
)
BOTH = ("items", "tags")
IMPLIED = Filters((SeenFilter(), DislikedFilter()))
"""The filters of a pipeline that says nothing about them."""
LIKED = Filters((DislikedFilter(),))


class Stateless:
    def fit(self, data, rng):
        return self

    def state(self):
        return {}

    def restore(self, state):
        return self


class Fixed(Stateless, Generator, Scorer):
    """Proposes the given ids in their order, scores them N, N - 1, ...; remembers how many queries it was asked."""

    name = "fixed"
    targets = BOTH

    def __init__(self, ids=range(N), targets=BOTH):
        super().__init__()
        self.ids, self.targets, self.asked = list(ids), targets, []

    def _scores(self, queries, target):
        width = len(DATA.items if target == "items" else DATA.vocabulary("tags"))
        row = np.full(width, -np.inf, np.float32)
        ids = [i for i in self.ids if i < width]
        row[ids] = N - np.arange(len(ids))
        return np.tile(row, (len(queries), 1))

    def candidates(self, queries, k, target, exclude):
        self.asked.append(len(queries))
        scores = self._scores(queries, target)
        exclude.mask(scores)
        return Candidates(*kernels.top_k(scores, k))

    def score(self, queries, ids, target):
        scores = kernels.pick(self._scores(queries, target), ids)
        return np.where(np.isinf(scores), np.float32(np.nan), scores)


class Broken(Fixed):
    """Answers with whatever it is given, or fails."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def candidates(self, queries, k, target, exclude):
        if self.answer is None:
            raise ZeroDivisionError("boom")
        return self.answer

    def score(self, queries, ids, target):
        return self.candidates(queries, 0, target, Exclude())


class Sum(Reranker):
    """Sum of the columns."""

    name = "sum"
    targets = BOTH

    def rerank(self, queries, pool, n):
        return pool.ranked(np.nansum(list(pool.columns.values()), axis=0, initial=0))


SUM = {"items": (Sum(),), "tags": (Sum(),)}


def pipeline(sources, *, scorers=(), rerankers=SUM, fallback=(), filters=None):
    """Sources as (label, generator, k, gate, ...)."""
    made = tuple(Source(label, generator, k, tuple(gates)) for label, generator, k, *gates in sources)
    return Pipeline("mine", made, tuple(scorers), rerankers, tuple(fallback), LIKED if filters is None else filters)


def servers(slate):
    return [slate.servers[served_by] for served_by in slate.served_by]


class Only(Sum):
    """One column alone."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def rerank(self, queries, pool, n):
        return pool.ranked(pool.columns[self.label])


NAN = np.nan


def pool(ids, columns=None, sources=None, **more):
    ids = np.array(ids, np.int32)
    bits = np.where(ids >= 0, 1, 0) if sources is None else np.array(sources)
    values = {label: np.array(column, np.float32) for label, column in (columns or {}).items()}
    return Pool("items", ids, ("a", "b"), bits.astype(np.uint64), values, **more)


def slate(ids, served_by, servers):
    array = np.array(ids, np.int32)
    return Slate("items", array, np.where(array < 0, NAN, 1).astype(np.float32), np.array(served_by, np.int8), servers)
