"""Timings of a plugin: the seconds of 10,000 queries and of its import, which are reported but never asserted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.registry import kinds
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.component import Component, DenseModel, Generator, Reranker, Scorer
from hybridrec.testing._helpers import fitted, targets_of
from hybridrec.testing.contract import data_of
from hybridrec.testing.datasets import toy_queries
from hybridrec.testing.rerankers import RerankerContract
from hybridrec.types import Floats, State, Target

QUERIES = 10_000
BLOCK = 1_000
_IMPORT = """
import importlib, sys, time
import hybridrec.builtin, hybridrec.data.builder, hybridrec.stages.component
started = time.perf_counter()
module = importlib.import_module(sys.argv[1])
for hook in sys.argv[2:]:
    getattr(module, hook, list)()
print(time.perf_counter() - started)
"""


class Constant(DenseModel):
    """A generator that ranks items by their codes, the same for every query.

    It costs as little as a generator can; `check-plugin` prints its seconds beside those of the plugin.
    """

    name = "constant"
    targets = ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Score each item by its place in the vocabulary, the first one highest."""
        self._scores: State = {"items": -np.arange(len(data.items), dtype=np.float32)}
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the same row for every query: float32 [Q, N]."""
        return np.tile(self._scores[target], (len(queries), 1))

    def state(self) -> State:
        """Return the scores of the items under the name of the target: float32 [N]."""
        return self._scores

    def restore(self, state: State) -> Self:
        """Take the scores of the items from `state`; return self."""
        self._scores = state
        return self


def seconds_of_queries(cls: type[Component], options: Mapping[str, Any] = MappingProxyType({})) -> float:
    """Measure the seconds that a component, fitted on the data of its checks, takes to answer 10,000 queries.

    A generator returns its ten best items, and a scorer scores all items, for 1,000 queries per call. A re-ranker
    orders pools of at most 12 candidates, for as many queries per call as its contract suite has.
    """
    data = data_of(cls)
    model = fitted(cls(cls.Config.model_validate(options)), data)
    queries = toy_queries(data)
    queries = queries.take(np.resize(np.arange(len(queries)), BLOCK))
    if isinstance(model, Reranker):
        return _of_reranker(cls, options)
    target = targets_of(model, data)[0]
    ids = np.tile(np.arange(data.size(target), dtype=np.int32), (BLOCK, 1))
    started = time.perf_counter()
    for _ in range(QUERIES // BLOCK):
        if isinstance(model, Generator):
            model.candidates(queries, 10, target, Exclude())
        elif isinstance(model, Scorer):
            model.score(queries, ids, target)
    return time.perf_counter() - started


@lru_cache
def seconds_of_import(module: str) -> float:
    """Measure the seconds that a new interpreter takes to import a plugin's module and all that its hooks offer.

    The modules that hybridrec itself needs are imported before the clock starts.
    """
    command = [sys.executable, "-c", _IMPORT, module, *(kind.hook for kind in kinds.KINDS)]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _of_reranker(cls: type[Component], options: Mapping[str, Any]) -> float:
    suite = type("Suite", (RerankerContract,), {"reranker": cls})()
    model, queries, pool = suite.model(options), suite.queries(), suite.pool()
    started = time.perf_counter()
    for _ in range(-(-QUERIES // len(queries))):
        model.rerank(queries, pool, 10)
    return time.perf_counter() - started
